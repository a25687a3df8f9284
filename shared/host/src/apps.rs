//! The app registrations: who Guestlist is to Entra when it reads, and who when it writes.

use graph::{App, Certificate, Credential, Federated, NoAssertion};
use model::TenantId;
use secrecy::{ExposeSecret as _, SecretString};
use uuid::Uuid;

use crate::Form;
use crate::aws::{self, AwsSettings};

/// An app registration: the reading one or the writing one.
#[derive(Debug, Clone)]
pub struct AppSettings {
    pub app: App,
}

/// `by_role`: where the process is a function on AWS Lambda, as far as that could be read.
pub(crate) fn app(
    form: &mut Form<'_>,
    prefix: &str,
    tenant: Option<TenantId>,
    by_role: Option<&AwsSettings>,
) -> Option<AppSettings> {
    let id = format!("{prefix}_CLIENT_ID");
    let client_id = form.required(&id, "the application (client) id of the app registration");
    let client_id = form.parsed(&id, client_id, |text| {
        let parsed = Uuid::try_parse(text).map(|id| id.to_string());
        parsed.map_err(|_| format!("`{text}` is not an application (client) id (a GUID of 36 characters)"))
    });
    let before = form.so_far();
    let secret = form.secret(&format!("{prefix}_CLIENT_SECRET"));
    let certificate = certificate(form, prefix);
    let federated = federated(form, prefix);
    let of_role = of_role(form, prefix, by_role);
    let mut given = Vec::new();
    given.extend(secret.map(|secret| ("CLIENT_SECRET", Credential::Secret(secret))));
    given.extend(certificate.map(|certificate| ("CERTIFICATE_FILE", Credential::Certificate(certificate))));
    given.extend(federated.map(|federated| ("ASSERTION_FILE", Credential::Federated(federated))));
    given.extend(of_role.map(|federated| ("FEDERATION", Credential::Federated(federated))));
    let credential = match given.as_slice() {
        [(_, credential)] => Some(credential.clone()),
        [] => {
            // Something that is set and cannot be used has been told already.
            if form.so_far() == before && form.optional(&format!("{prefix}_FEDERATION")).is_none() {
                let on_lambda =
                    if form.is_on_lambda() { format!("{prefix}_FEDERATION, ") } else { String::new() };
                form.wrong(format!(
                    "{on_lambda}{prefix}_CERTIFICATE_FILE with {prefix}_KEY_FILE, {prefix}_ASSERTION_FILE, or {prefix}_CLIENT_SECRET_FILE, is not set: the app's credential"
                ));
            }
            None
        }
        [(one, _), (other, _), ..] => {
            form.wrong(format!("{prefix}_{one} and {prefix}_{other} are both set: unset one of them"));
            None
        }
    };
    Some(AppSettings { app: App { tenant: tenant?, client_id: client_id?, credential: credential? } })
}

/// A token of an issuer that the app trusts. Whoever puts it there renews it, so that it is read each time.
fn federated(form: &mut Form<'_>, prefix: &str) -> Option<Federated> {
    let name = format!("{prefix}_ASSERTION_FILE");
    let path = form.path(&name)?;
    form.read(&name, &path)?;
    Some(Federated::new("the assertion file", move |_| {
        let path = path.clone();
        async move {
            let text = tokio::fs::read_to_string(&path).await;
            let told = |error| NoAssertion::Refused(format!("cannot read `{}`: {error}", path.display()));
            let text = text.map_err(told)?;
            Ok(SecretString::from(text.trim().to_owned()))
        }
    }))
}

/// The tokens that AWS signs about the function's role.
fn of_role(form: &mut Form<'_>, prefix: &str, by_role: Option<&AwsSettings>) -> Option<Federated> {
    let name = format!("{prefix}_FEDERATION");
    let value = form.optional(&name)?;
    if value != "aws-sts" {
        form.wrong(format!("{name}: `{value}` is no issuer of tokens: use `aws-sts`, or unset it"));
        return None;
    }
    if !form.is_on_lambda() {
        form.wrong(format!(
            "{name}: `{value}` is for a function on AWS Lambda, which has a role: set {prefix}_CERTIFICATE_FILE or \
             {prefix}_ASSERTION_FILE here"
        ));
        return None;
    }
    // Where AWS could not be read, that was told.
    by_role.cloned().map(aws::federated)
}

fn certificate(form: &mut Form<'_>, prefix: &str) -> Option<Certificate> {
    let (certificate, key) = (format!("{prefix}_CERTIFICATE_FILE"), format!("{prefix}_KEY_FILE"));
    let before = form.so_far();
    let pem = form.secret(&format!("{prefix}_CERTIFICATE"));
    let key_pem = form.secret(&format!("{prefix}_KEY"));
    let (pem, key_pem) = match (pem, key_pem) {
        (Some(pem), Some(key_pem)) => (pem, key_pem),
        (None, None) => return None,
        // What is set and cannot be used has been told already.
        _ if form.so_far() != before => return None,
        (Some(_), None) => {
            form.wrong(format!("{key} is not set: the private key of {certificate}"));
            return None;
        }
        (None, Some(_)) => {
            form.wrong(format!("{certificate} is not set: the certificate of {key}"));
            return None;
        }
    };
    match Certificate::from_pem(pem.expose_secret(), key_pem.expose_secret()) {
        Ok(certificate) => Some(certificate),
        Err(error) => {
            form.wrong(format!("{certificate} with {key}: {error}"));
            None
        }
    }
}
