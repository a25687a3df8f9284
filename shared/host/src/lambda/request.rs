//! What an HTTP API or a function's URL hands over (payload 2.0,
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>), as the event that
//! `lambda_http` makes a request of. That believes AWS, and panics at whatever is no request: an outsider chooses path, query, headers
//! and body, so each is looked at here before.
//!
//! Never here: what a request is answered.

use axum::body::Bytes;
use axum::http::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, Uri};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_PAD_INDIFFERENT, URL_SAFE_PAD_INDIFFERENT};
use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use lambda_http::request::LambdaRequest;
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::Part;

/// As many as the local process takes.
const MOST_HEADERS: usize = 100;
/// Without a name, or with this one, a stage is no part of the path.
const NO_STAGE: &str = "$default";
/// What RFC 3986 allows in a path, and what is encoded already.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'%')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');
/// What no query may have as it is: the rest is the router's to judge.
const NOT_IN_A_QUERY: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>');

/// What somebody asked over HTTP.
#[derive(Debug)]
pub(super) enum Asked {
    /// All but the body, which is apart.
    Request(Box<LambdaRequest>, Bytes),
    /// No request can be made of it. Why, in words that repeat nothing of it.
    Nonsense(&'static str),
}

impl Asked {
    /// # Errors
    /// It is no event of HTTP at all.
    pub(super) fn read(part: Part, mut event: Value) -> Result<Self, String> {
        if !event.pointer("/requestContext/http").is_some_and(Value::is_object) {
            let why = if event.get("httpMethod").is_some() {
                "it is a request in payload format version 1.0"
            } else {
                "it has another shape"
            };
            return Err(format!(
                "failed to understand the event: {why}; `{}` takes a request of an HTTP API or of a function's URL, in payload format \
                 version 2.0",
                part.word()
            ));
        }
        let body = event.get_mut("body").map(Value::take);
        Ok(match head(&event).and_then(|head| Ok((head, decoded(body, event.get("isBase64Encoded"))?))) {
            Ok((head, body)) => Self::Request(Box::new(LambdaRequest::ApiGatewayV2(head)), body),
            Err(why) => Self::Nonsense(why),
        })
    }
}

/// Whether a request can be made of what a function was handed, which strangers have a part in: for whoever looks for something that
/// makes a parser panic.
#[must_use]
pub fn is_request(event: &[u8]) -> bool {
    let event = serde_json::from_slice(event).map_err(|error| error.to_string());
    match event.and_then(|event| Asked::read(Part::Notifications, event)) {
        Ok(Asked::Request(head, _)) => lambda_http::Request::from(*head).uri().path().starts_with('/'),
        Ok(Asked::Nonsense(_)) | Err(_) => false,
    }
}

/// Without its stage, `lambda_http` takes the path as it is. Without its host it makes no address of it, which nobody asks for: the
/// router goes by the path.
fn head(event: &Value) -> Result<ApiGatewayV2httpRequest, &'static str> {
    let text = |at: &str| event.pointer(at).and_then(Value::as_str);
    let method =
        text("/requestContext/http/method").and_then(|method| Method::from_bytes(method.as_bytes()).ok());
    let path = text("/rawPath").filter(|path| path.starts_with('/')).ok_or("it has no path")?;
    let path = utf8_percent_encode(below(path, text("/requestContext/stage")), PATH).to_string();
    let query = utf8_percent_encode(text("/rawQueryString").unwrap_or_default(), NOT_IN_A_QUERY).to_string();
    let address = if query.is_empty() { path.clone() } else { format!("{path}?{query}") };
    if Uri::try_from(address).is_err() {
        return Err("its path and query are too long");
    }
    let mut request = ApiGatewayV2httpRequest::default();
    request.request_context.http.method = method.ok_or("it has no method")?;
    request.raw_path = Some(path);
    request.raw_query_string = Some(query);
    request.headers = headers(event.get("headers"))?;
    Ok(request)
}

/// AWS writes a stage that has a name in front of the path, unless a domain of one's own leads to it.
fn below<'a>(path: &'a str, stage: Option<&str>) -> &'a str {
    let Some(stage) = stage.filter(|stage| !stage.is_empty() && *stage != NO_STAGE) else { return path };
    match path.strip_prefix('/').and_then(|rest| rest.strip_prefix(stage)) {
        Some("") => "/",
        Some(rest) if rest.starts_with('/') => rest,
        Some(_) | None => path,
    }
}

fn headers(given: Option<&Value>) -> Result<HeaderMap, &'static str> {
    const ILLEGAL: &str = "a header of it is not legal";
    let all = match given {
        None | Some(Value::Null) => return Ok(HeaderMap::new()),
        Some(Value::Object(all)) if all.len() <= MOST_HEADERS => all,
        Some(Value::Object(_)) => return Err("it has too many headers"),
        Some(_) => return Err(ILLEGAL),
    };
    let mut headers = HeaderMap::new();
    for (name, value) in all {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| ILLEGAL)?;
        let value = value.as_str().and_then(|value| HeaderValue::from_str(value).ok()).ok_or(ILLEGAL)?;
        if name != HOST {
            headers.append(name, value);
        }
    }
    Ok(headers)
}

/// In whichever alphabet of RFC 4648 it is, with or without its padding.
fn decoded(body: Option<Value>, is_encoded: Option<&Value>) -> Result<Bytes, &'static str> {
    let is_encoded = match is_encoded {
        None | Some(Value::Null) => false,
        Some(Value::Bool(is_encoded)) => *is_encoded,
        Some(_) => return Err("it does not say whether its body is encoded"),
    };
    match body {
        None | Some(Value::Null) => Ok(Bytes::new()),
        Some(Value::String(text)) if !is_encoded => Ok(Bytes::from(text)),
        Some(Value::String(text)) => {
            let is_for_urls = text.contains(['-', '_']);
            let engine = if is_for_urls { URL_SAFE_PAD_INDIFFERENT } else { STANDARD_PAD_INDIFFERENT };
            engine.decode(text).map(Bytes::from).map_err(|_| "its body is not base64")
        }
        Some(_) => Err("its body is no text"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn event() -> Value {
        json!({
            "version": "2.0",
            "rawPath": "/graph/notifications",
            "rawQueryString": "",
            "headers": { "accept": "*/*", "host": "guestlist.example" },
            "requestContext": {
                "domainName": "guestlist.example",
                "http": { "method": "POST", "path": "/graph/notifications" },
                "stage": "$default",
            },
            "body": "{}",
            "isBase64Encoded": false,
        })
    }

    fn changed(changes: &[(&str, Value)]) -> Value {
        let mut event = event();
        for (at, value) in changes {
            let (above, name) = at.rsplit_once('/').unwrap();
            event.pointer_mut(above).unwrap()[name] = value.clone();
        }
        event
    }

    /// What `lambda_http` makes of it, and the body.
    fn request(changes: &[(&str, Value)]) -> Result<(lambda_http::Request, Bytes), &'static str> {
        match Asked::read(Part::Notifications, changed(changes)).unwrap() {
            Asked::Request(head, body) => Ok(((*head).into(), body)),
            Asked::Nonsense(why) => Err(why),
        }
    }

    fn address(changes: &[(&str, Value)]) -> String {
        request(changes).unwrap().0.uri().to_string()
    }

    #[test]
    fn a_body_is_taken_in_either_alphabet_and_with_or_without_its_padding() {
        let bytes = [0xfb, 0xff, 0xfe, b'g'];
        for text in ["+//+Zw==", "+//+Zw", "-__-Zw==", "-__-Zw", "+//+Zw="] {
            let (_, body) = request(&[("/body", json!(text)), ("/isBase64Encoded", json!(true))]).unwrap();
            assert_eq!(*body, bytes, "{text}");
        }
        for text in ["+//+\r\nZw==", "{}", "+_", "Zg=a", "Z", " ", "Zg Zg", "Zh"] {
            let read = request(&[("/body", json!(text)), ("/isBase64Encoded", json!(true))]);
            assert_eq!(read.unwrap_err(), "its body is not base64", "{text}");
        }
        for (body, is_encoded, expected) in [
            (json!("Zg=="), json!(false), "Zg=="),
            (json!("Zg=="), Value::Null, "Zg=="),
            (Value::Null, json!(true), ""),
        ] {
            assert_eq!(request(&[("/body", body), ("/isBase64Encoded", is_encoded)]).unwrap().1, expected);
        }
    }

    #[test]
    fn what_a_query_may_not_have_is_encoded_and_the_rest_is_left_to_the_router() {
        for (query, expected) in [
            ("", "/graph/notifications"),
            ("validationToken=a%20b+c", "/graph/notifications?validationToken=a%20b+c"),
            ("validationToken=<b>x y\"</b>", "/graph/notifications?validationToken=%3Cb%3Ex%20y%22%3C/b%3E"),
            ("a=\u{7}\r\n#b&c=é%", "/graph/notifications?a=%07%0D%0A%23b&c=%C3%A9%"),
        ] {
            assert_eq!(address(&[("/rawQueryString", json!(query))]), expected);
        }
    }

    #[test]
    fn a_stage_with_a_name_is_no_part_of_the_path() {
        for (stage, path, expected) in [
            ("prod", "/prod/graph/notifications", "/graph/notifications"),
            ("prod", "/graph/notifications", "/graph/notifications"),
            ("prod", "/production", "/production"),
            ("prod", "/prod", "/"),
            ("$default", "/$default/x", "/$default/x"),
            ("", "//x", "//x"),
        ] {
            let changes = [("/requestContext/stage", json!(stage)), ("/rawPath", json!(path))];
            assert_eq!(address(&changes), expected, "{stage} {path}");
        }
    }

    #[test]
    fn a_path_says_what_it_said_and_a_host_is_nobodys_address() {
        for (path, expected) in
            [("/a b?c#d", "/a%20b%3Fc%23d"), ("/ä\\{`", "/%C3%A4%5C%7B%60"), ("/100%", "/100%")]
        {
            assert_eq!(address(&[("/rawPath", json!(path))]), expected);
        }
        for host in ["not a host", "a:b@c", "[::1", "x:99999", ""] {
            let changes = [("/headers/host", json!(host)), ("/requestContext/domainName", json!(host))];
            assert_eq!(address(&changes), "/graph/notifications", "{host}");
        }
    }

    #[test]
    fn what_cannot_be_a_request_is_none() {
        let headers: serde_json::Map<_, _> = (0..101).map(|n| (format!("x-{n}"), json!("y"))).collect();
        let long = format!("/{}", "a".repeat(70_000));
        for (at, value, why) in [
            ("/requestContext/http/method", json!("NOT LEGAL"), "it has no method"),
            ("/requestContext/http/method", Value::Null, "it has no method"),
            ("/rawPath", json!("graph"), "it has no path"),
            ("/rawPath", json!(7), "it has no path"),
            ("/rawPath", json!(long), "its path and query are too long"),
            ("/rawQueryString", json!(long), "its path and query are too long"),
            ("/headers", json!({ "a b": "c" }), "a header of it is not legal"),
            ("/headers", json!({ "a": "b\nc" }), "a header of it is not legal"),
            ("/headers", json!({ "a": 1 }), "a header of it is not legal"),
            ("/headers", json!([]), "a header of it is not legal"),
            ("/headers", json!(headers), "it has too many headers"),
            ("/body", json!({}), "its body is no text"),
            ("/isBase64Encoded", json!("yes"), "it does not say whether its body is encoded"),
        ] {
            assert_eq!(request(&[(at, value)]).unwrap_err(), why, "{at}");
        }
    }

    #[test]
    fn what_is_no_event_of_http_is_told_with_what_was_expected() {
        let batch = json!({ "Records": [{ "eventSource": "aws:sqs", "messageId": "m1", "body": "b" }] });
        let older = json!({ "httpMethod": "POST", "path": "/", "requestContext": { "stage": "prod" } });
        for (event, why) in [
            (json!({ "do": "tend" }), "another shape"),
            (json!({ "source": "aws.events", "detail-type": "Scheduled Event" }), "another shape"),
            (json!({ "requestContext": { "http": "POST" } }), "another shape"),
            (json!([]), "another shape"),
            (Value::Null, "another shape"),
            (batch, "another shape"),
            (older, "payload format version 1.0"),
        ] {
            let error = Asked::read(Part::Approvals, event).unwrap_err();
            assert!(
                error.contains(why) && error.contains("`approvals` takes a request of an HTTP API"),
                "{error}"
            );
        }
    }

    /// Texts that an outsider may choose, legal ones among them.
    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<String>(),
            "[ -~]{0,40}",
            "/[a-z%/.:?#<>\\\\@]{0,30}",
            "[A-Za-z0-9+/_=-]{0,24}",
            Just("$default".to_owned())
        ]
    }

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            8 => text().prop_map(Value::String),
            1 => any::<bool>().prop_map(Value::Bool),
            1 => any::<f64>().prop_map(|number| json!(number)),
            1 => Just(Value::Null),
            1 => prop::collection::vec(text(), 0..3).prop_map(|all| json!(all)),
            1 => prop::collection::hash_map(text(), text(), 0..4).prop_map(|all| json!(all)),
        ]
    }

    const PLACES: [&str; 10] = [
        "/rawPath",
        "/rawQueryString",
        "/headers",
        "/headers/host",
        "/headers/x-forwarded-proto",
        "/requestContext/http/method",
        "/requestContext/domainName",
        "/requestContext/stage",
        "/body",
        "/isBase64Encoded",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn no_event_makes_lambda_http_panic(
            changes in prop::collection::vec((prop::sample::select(PLACES.to_vec()), value()), 0..8),
            more in prop::collection::hash_map(text(), text(), 0..4),
        ) {
            let mut event = event();
            for (at, value) in changes {
                let (above, name) = at.rsplit_once('/').unwrap();
                if let Some(Value::Object(above)) = event.pointer_mut(above) {
                    above.insert(name.to_owned(), value);
                }
            }
            if let Some(Value::Object(headers)) = event.pointer_mut("/headers") {
                headers.extend(more.into_iter().map(|(name, value)| (name, json!(value))));
            }
            let query = event["rawQueryString"].as_str().unwrap_or_default().to_owned();
            if let Ok(Asked::Request(head, _)) = Asked::read(Part::Notifications, event) {
                let request: lambda_http::Request = (*head).into();
                prop_assert!(request.uri().path().starts_with('/') && request.uri().host().is_none());
                let asked = |query: &str| url::form_urlencoded::parse(query.as_bytes()).into_owned().collect::<Vec<_>>();
                prop_assert_eq!(asked(request.uri().query().unwrap_or_default()), asked(&query));
            }
        }

        #[test]
        fn whatever_is_handed_over_is_answered(event in value(), context in value(), http in value()) {
            for event in [event, json!({ "requestContext": context }), json!({ "requestContext": { "http": http } })] {
                if let Ok(Asked::Request(head, _)) = Asked::read(Part::Approvals, event) {
                    let _request: lambda_http::Request = (*head).into();
                }
            }
        }
    }
}
