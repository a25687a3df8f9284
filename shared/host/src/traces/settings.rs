//! What OpenTelemetry's own variables say of traces
//! (<https://opentelemetry.io/docs/specs/otel/protocol/exporter/>, <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>).
//! Where no endpoint is set, nothing else is read.

use std::time::Duration;

use opentelemetry_sdk::trace::Sampler;
use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use crate::Form;
use crate::form::OptionalSecret;

/// Where traces go, how many are kept, and what is said of who makes them.
#[derive(Debug, Clone)]
pub struct TraceSettings {
    pub(super) endpoint: Url,
    /// None: they lie on AWS, and were not read so far.
    pub(super) headers: Option<Vec<(String, SecretString)>>,
    /// Of one request.
    pub(super) timeout: Duration,
    pub(super) sampler: Sampler,
    pub(super) service: Option<String>,
    pub(super) attributes: Vec<(String, String)>,
}

const DISABLED: &str = "OTEL_SDK_DISABLED";
const EXPORTER: &str = "OTEL_TRACES_EXPORTER";
const SAMPLER: &str = "OTEL_TRACES_SAMPLER";
const SAMPLER_ARG: &str = "OTEL_TRACES_SAMPLER_ARG";
const ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";
const TIMEOUT: Duration = Duration::from_secs(10);

/// None: no traces are made, or something is wrong with what is set, which the form knows then.
pub(crate) fn traces(form: &mut Form<'_>) -> Option<TraceSettings> {
    let (variable, endpoint) = of_traces(form, "ENDPOINT")?;
    let disabled = form.optional(DISABLED);
    let disabled = form.parsed(DISABLED, disabled, |text| match text.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(format!("`{text}` is neither `true` nor `false`")),
    });
    let exporter = form.optional(EXPORTER);
    let exported = form.parsed(EXPORTER, exporter, |text| match text {
        "otlp" => Ok(true),
        "none" => Ok(false),
        _ => Err(format!("`{text}` is not among what traces can be told by: use `otlp`, or `none`")),
    });
    if disabled == Some(true) || exported == Some(false) {
        return None;
    }
    only(form, "PROTOCOL", "http/protobuf", "OTLP is spoken as protobuf over HTTP, to port 4318 by default");
    only(form, "COMPRESSION", "none", "nothing is compressed");
    for unknown in ["CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY"] {
        if let Some((name, _)) = of_traces(form, unknown) {
            form.wrong(format!(
                "{name}: nothing is done with it: let the collector have a certificate that this machine trusts, and unset it"
            ));
        }
    }
    let whole = variable.contains("_TRACES_");
    let endpoint = form.parsed(&variable, Some(endpoint), |text| address(text, whole));
    let headers = headers(form);
    if let Some(endpoint) = &endpoint
        && headers.as_ref().is_none_or(|headers| !headers.is_empty())
        && endpoint.scheme() != "https"
        && !is_this_machine(endpoint)
    {
        form.wrong(format!(
            "{variable}: `{}` is not https, and whoever listens would read the headers: use https, or a collector on this machine",
            scheme_and_host(endpoint)
        ));
    }
    let timeout = of_traces(form, "TIMEOUT").map_or(Some(TIMEOUT), |(name, value)| {
        form.parsed(&name, Some(value), |text| match text.parse::<u32>() {
            Ok(millis) if millis > 0 => Ok(Duration::from_millis(u64::from(millis))),
            Ok(_) | Err(_) => Err(format!("`{text}` is not a number of milliseconds, like `10000`")),
        })
    });
    let sampler = sampler(form);
    let attributes = form.optional(ATTRIBUTES).unwrap_or_default();
    let attributes = form.parsed(ATTRIBUTES, Some(attributes), pairs);
    Some(TraceSettings {
        endpoint: endpoint?,
        headers,
        timeout: timeout?,
        sampler: sampler?,
        service: form.optional("OTEL_SERVICE_NAME"),
        attributes: attributes?,
    })
}

/// A variable of traces alone goes before that of all signals.
fn of_traces(form: &Form<'_>, end: &str) -> Option<(String, String)> {
    [format!("OTEL_EXPORTER_OTLP_TRACES_{end}"), format!("OTEL_EXPORTER_OTLP_{end}")]
        .into_iter()
        .find_map(|name| form.optional(&name).map(|value| (name, value)))
}

fn only(form: &mut Form<'_>, end: &str, known: &str, why: &str) {
    if let Some((name, value)) = of_traces(form, end)
        && value != known
    {
        form.wrong(format!("{name}: `{value}` is not known here: {why}; use `{known}`, or unset it"));
    }
}

/// An endpoint of all signals is what `/v1/traces` is put behind. Anything but the host may prove who sends, so it is not repeated.
fn address(text: &str, whole: bool) -> Result<Url, String> {
    let wrong = || "it is not an http or https address, like `http://127.0.0.1:4318`".to_owned();
    let mut url = Url::parse(text).map_err(|_| wrong())?;
    if !["http", "https"].contains(&url.scheme()) || url.host_str().is_none() {
        return Err(wrong());
    }
    let held = if !url.username().is_empty() || url.password().is_some() {
        "a user name or password"
    } else if url.query().is_some() || url.fragment().is_some() {
        "more than a path"
    } else {
        if !whole {
            let below = format!("{}/v1/traces", url.path().trim_end_matches('/'));
            url.set_path(&below);
        }
        return Ok(url);
    };
    Err(format!(
        "the address at `{}` holds {held}: put what proves who sends into OTEL_EXPORTER_OTLP_HEADERS",
        scheme_and_host(&url)
    ))
}

fn scheme_and_host(url: &Url) -> String {
    format!("{}://{}", url.scheme(), url.host_str().unwrap_or_default())
}
fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// They often prove who sends, so they are secrets like any other. None: they lie where they could not be read, and nobody is
/// watched the less for it.
fn headers(form: &mut Form<'_>) -> Option<Vec<(String, SecretString)>> {
    for name in ["OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"] {
        let text = match form.optional_secret(name) {
            OptionalSecret::NotSet => continue,
            OptionalSecret::NotRead => return None,
            OptionalSecret::Text(text) => text,
        };
        let read = pairs(text.expose_secret()).ok().and_then(|pairs| pairs.into_iter().map(header).collect());
        if read.is_none() {
            // The text is not repeated.
            form.wrong(format!(
                "{name}: it is not a list of headers, like `api-key=…,x-team=security`, with values that are percent-encoded"
            ));
        }
        return Some(read.unwrap_or_default());
    }
    Some(Vec::new())
}

fn header((name, value): (String, String)) -> Option<(String, SecretString)> {
    let name = name.to_ascii_lowercase();
    let is_known = axum::http::HeaderName::try_from(&name).is_ok();
    (is_known && axum::http::HeaderValue::try_from(&value).is_ok()).then(|| (name, SecretString::from(value)))
}

/// As W3C Baggage writes a list of pairs.
fn pairs(text: &str) -> Result<Vec<(String, String)>, String> {
    let read = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
        let name = name.trim();
        (!name.is_empty()).then(|| (name.to_owned(), value.into_owned()))
    };
    let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            read(pair).ok_or_else(|| format!("`{pair}` is not a pair like `team=security`, percent-encoded"))
        })
        .collect()
}

fn sampler(form: &mut Form<'_>) -> Option<Sampler> {
    let name = form.optional(SAMPLER).unwrap_or_else(|| "parentbased_always_on".to_owned());
    let share = form.optional(SAMPLER_ARG);
    let by_share = name.ends_with("traceidratio");
    let share = if by_share {
        form.parsed(SAMPLER_ARG, Some(share.unwrap_or_else(|| "1".to_owned())), |text| {
            match text.parse::<f64>() {
                Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
                Ok(_) | Err(_) => {
                    Err(format!("`{text}` is not a share of the traces between 0 and 1, like `0.1`"))
                }
            }
        })?
    } else {
        1.0
    };
    let by_parent = |root| Sampler::ParentBased(Box::new(root));
    form.parsed(SAMPLER, Some(name), |name| match name {
        "always_on" => Ok(Sampler::AlwaysOn),
        "always_off" => Ok(Sampler::AlwaysOff),
        "traceidratio" => Ok(Sampler::TraceIdRatioBased(share)),
        "parentbased_always_on" => Ok(by_parent(Sampler::AlwaysOn)),
        "parentbased_always_off" => Ok(by_parent(Sampler::AlwaysOff)),
        "parentbased_traceidratio" => Ok(by_parent(Sampler::TraceIdRatioBased(share))),
        _ => Err(format!(
            "`{name}` is not known here: use `parentbased_traceidratio`, with the share in {SAMPLER_ARG}, or `always_on`"
        )),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Environment;

    fn read(values: &[(&str, &str)]) -> (Option<TraceSettings>, Vec<String>) {
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let environment = Environment::of(values);
        let mut form = Form::new(&environment);
        let settings = traces(&mut form);
        (settings, form.finish(Some(())).err().map(|missing| missing.0).unwrap_or_default())
    }

    const TO: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");

    #[test]
    fn without_an_endpoint_and_where_it_is_switched_off_nothing_is_made() {
        for values in [
            vec![],
            vec![("OTEL_SERVICE_NAME", "guests"), ("OTEL_TRACES_SAMPLER", "xray")],
            vec![("OTEL_EXPORTER_OTLP_ENDPOINT", "")],
            vec![TO, ("OTEL_SDK_DISABLED", "TRUE")],
            vec![TO, ("OTEL_TRACES_EXPORTER", "none"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")],
        ] {
            let (settings, problems) = read(&values);
            assert!(settings.is_none() && problems.is_empty(), "{values:?}: {problems:?}");
        }
    }

    #[test]
    fn an_endpoint_of_traces_is_taken_as_it_is_and_one_of_all_signals_is_what_they_lie_below() {
        let at = |values: &[(&str, &str)]| read(values).0.unwrap().endpoint.to_string();
        assert_eq!(at(&[TO]), "http://127.0.0.1:4318/v1/traces");
        let below = ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://otlp.fabrikam.com/in/");
        assert_eq!(at(&[below]), "https://otlp.fabrikam.com/in/v1/traces");
        let own = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://otlp.contoso.com/spans");
        assert_eq!(at(&[TO, own]), "https://otlp.contoso.com/spans");
    }

    #[test]
    fn what_the_variables_say_is_taken() {
        let (settings, problems) = read(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://otlp.fabrikam.com"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "Api-Key=hush%2C%20hush, x-team = security"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "2500"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
            ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
            ("OTEL_SERVICE_NAME", "guests"),
            ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test,team=a%20b"),
        ]);
        assert_eq!(problems, Vec::<String>::new());
        let settings = settings.unwrap();
        assert!(!format!("{settings:?}").contains("hush"));
        let headers = settings.headers.as_ref().unwrap().iter();
        let headers: Vec<_> = headers.map(|(n, v)| (n.as_str(), v.expose_secret())).collect();
        assert_eq!(headers, [("api-key", "hush, hush"), ("x-team", "security")]);
        assert_eq!(settings.timeout, Duration::from_millis(2500));
        assert_eq!(format!("{:?}", settings.sampler), "ParentBased(TraceIdRatioBased(0.25))");
        assert_eq!(settings.service.as_deref(), Some("guests"));
        assert_eq!(settings.attributes[1], ("team".to_owned(), "a b".to_owned()));
    }

    #[test]
    fn headers_that_lie_on_aws_are_waited_for_and_go_over_https_like_any() {
        let on_aws = |endpoint| {
            read(&[
                ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:1"),
                ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
                ("OTEL_EXPORTER_OTLP_HEADERS_SECRET", "guestlist/traces"),
            ])
        };
        let (settings, problems) = on_aws("https://otlp.fabrikam.com");
        assert!(settings.unwrap().headers.is_none() && problems.is_empty(), "{problems:?}");
        let (_, problems) = on_aws("http://otlp.fabrikam.com");
        assert!(problems.len() == 1 && problems[0].contains("is not https"), "{problems:?}");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_variable_and_its_mend_and_no_secret() {
        for (values, expected) in [
            (
                vec![("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318")],
                "OTEL_EXPORTER_OTLP_ENDPOINT: it is not an http or https address, like `http://127.0.0.1:4318`",
            ),
            (
                vec![("OTEL_EXPORTER_OTLP_ENDPOINT", "a:hush@otlp.fabrikam.com")],
                "OTEL_EXPORTER_OTLP_ENDPOINT: it is not an http or https address, like `http://127.0.0.1:4318`",
            ),
            (
                vec![("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://a:hush@otlp.fabrikam.com/hush")],
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: the address at `https://otlp.fabrikam.com` holds a user name or password: put \
                 what proves who sends into OTEL_EXPORTER_OTLP_HEADERS",
            ),
            (
                vec![("OTEL_EXPORTER_OTLP_ENDPOINT", "https://otlp.fabrikam.com/hush?api-key=hush")],
                "OTEL_EXPORTER_OTLP_ENDPOINT: the address at `https://otlp.fabrikam.com` holds more than a path: put what proves who \
                 sends into OTEL_EXPORTER_OTLP_HEADERS",
            ),
            (
                vec![("OTEL_EXPORTER_OTLP_ENDPOINT", "https://otlp.fabrikam.com/#hush")],
                "OTEL_EXPORTER_OTLP_ENDPOINT: the address at `https://otlp.fabrikam.com` holds more than a path: put what proves who \
                 sends into OTEL_EXPORTER_OTLP_HEADERS",
            ),
            (
                vec![
                    ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://otlp.fabrikam.com/hush"),
                    ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=hush"),
                ],
                "OTEL_EXPORTER_OTLP_ENDPOINT: `http://otlp.fabrikam.com` is not https, and whoever listens would read \
                 the headers: use https, or a collector on this machine",
            ),
            (
                vec![TO, ("OTEL_EXPORTER_OTLP_HEADERS", "hush")],
                "OTEL_EXPORTER_OTLP_HEADERS: it is not a list of headers, like `api-key=…,x-team=security`, with values that are \
                 percent-encoded",
            ),
            (
                vec![TO, ("OTEL_EXPORTER_OTLP_HEADERS", "a key=hush")],
                "OTEL_EXPORTER_OTLP_HEADERS: it is not a list of headers, like `api-key=…,x-team=security`, with values that are \
                 percent-encoded",
            ),
            (
                vec![TO, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")],
                "OTEL_EXPORTER_OTLP_PROTOCOL: `grpc` is not known here: OTLP is spoken as protobuf over HTTP, to port 4318 by \
                 default; use `http/protobuf`, or unset it",
            ),
            (
                vec![TO, ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "gzip")],
                "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION: `gzip` is not known here: nothing is compressed; use `none`, or unset it",
            ),
            (
                vec![TO, ("OTEL_EXPORTER_OTLP_CERTIFICATE", "ca.pem")],
                "OTEL_EXPORTER_OTLP_CERTIFICATE: nothing is done with it: let the collector have a certificate that this machine \
                 trusts, and unset it",
            ),
            (
                vec![TO, ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s")],
                "OTEL_EXPORTER_OTLP_TIMEOUT: `10s` is not a number of milliseconds, like `10000`",
            ),
            (
                vec![TO, ("OTEL_TRACES_SAMPLER", "xray")],
                "OTEL_TRACES_SAMPLER: `xray` is not known here: use `parentbased_traceidratio`, with the share in \
                 OTEL_TRACES_SAMPLER_ARG, or `always_on`",
            ),
            (
                vec![TO, ("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "10")],
                "OTEL_TRACES_SAMPLER_ARG: `10` is not a share of the traces between 0 and 1, like `0.1`",
            ),
            (
                vec![TO, ("OTEL_SDK_DISABLED", "yes")],
                "OTEL_SDK_DISABLED: `yes` is neither `true` nor `false`",
            ),
            (
                vec![TO, ("OTEL_TRACES_EXPORTER", "zipkin")],
                "OTEL_TRACES_EXPORTER: `zipkin` is not among what traces can be told by: use `otlp`, or `none`",
            ),
            (
                vec![TO, ("OTEL_RESOURCE_ATTRIBUTES", "team")],
                "OTEL_RESOURCE_ATTRIBUTES: `team` is not a pair like `team=security`, percent-encoded",
            ),
        ] {
            let (_, problems) = read(&values);
            assert_eq!(problems, [expected], "{values:?}");
        }
    }
}
