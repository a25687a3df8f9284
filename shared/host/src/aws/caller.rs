//! Who AWS says that a command is.
//!
//! Needs no permission: <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>

use axum::http::header::{ACCEPT, CONTENT_TYPE};
use wire::{Call, Wire};

use super::AwsSettings;
use super::calls::{Aws, AwsError};

/// A name in IAM has up to 64 characters, and so has a session's.
const LONGEST: usize = 256;

impl AwsSettings {
    /// Who sends what these settings sign, as the end of his ARN: `user/alice`, `assumed-role/Operators/alice`.
    ///
    /// # Errors
    /// AWS STS does not say so.
    pub async fn caller(&self, wire: Wire) -> anyhow::Result<String> {
        let aws = Aws::new(wire, self.clone());
        aws.caller().await.map_err(|error| anyhow::anyhow!("failed to ask AWS STS who this is: {error}"))
    }
}

impl Aws {
    async fn caller(&self) -> Result<String, AwsError> {
        let call = Call::post(self.address("sts")?, "Action=GetCallerIdentity&Version=2011-06-15")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "text/xml");
        let answer = self.send("sts", call).await?;
        read(&String::from_utf8_lossy(&answer.body))
            .ok_or_else(|| AwsError::Unusable { why: "there is no ARN in the answer".to_owned() })
    }
}

/// `arn:PARTITION:SERVICE::ACCOUNT:` stands before what is wanted, and no character of it is one that XML would escape.
fn read(answer: &str) -> Option<String> {
    let arn = answer.split_once("<Arn>")?.1.split_once("</Arn>")?.0.trim();
    let who = arn.strip_prefix("arn:")?.splitn(5, ':').nth(4)?;
    let legal = |c: char| c.is_ascii_alphanumeric() || "/+=,.@_-".contains(c);
    let is_name = !who.is_empty() && who.len() <= LONGEST && who.chars().all(legal);
    is_name.then(|| who.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::tests::settings;

    #[test]
    fn the_end_of_an_arn_says_who_it_is() {
        let of = |arn: &str| read(&format!("<R><Arn>{arn}</Arn></R>"));
        let role = "arn:aws:sts::123456789012:assumed-role/Operators/alice@contoso.com";
        assert_eq!(of(role).unwrap(), "assumed-role/Operators/alice@contoso.com");
        assert_eq!(of("arn:aws-us-gov:iam::123456789012:user/teams/alice").unwrap(), "user/teams/alice");
        assert_eq!(of("arn:aws:iam::123456789012:root").unwrap(), "root");
        let long = format!("arn:aws:iam::1:user/{}", "x".repeat(300));
        for wrong in [
            "",
            "alice",
            "arn:aws:iam::1:",
            "arn:aws:iam::1:user/a\u{202e}b",
            "arn:aws:iam::1:user/a (root)",
            &long,
        ] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
        assert_eq!(read("<Error><Code>ExpiredToken</Code></Error>"), None);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_emulator_knows_whose_key_it_is() {
        let wire = Wire::network().unwrap();
        assert_eq!(settings().caller(wire.clone()).await.unwrap(), "root");
        let nowhere = AwsSettings { endpoint: "http://127.0.0.1:1".parse().ok(), ..settings() };
        let error = nowhere.caller(wire).await.unwrap_err().to_string();
        assert!(error.starts_with("failed to ask AWS STS who this is: "), "{error}");
    }
}
