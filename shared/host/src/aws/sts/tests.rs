//! Tokens for Entra, from a stand-in for STS on loopback.

use emulator::issuer::{Instead, Issuer};
use graph::{App, Credential};
use secrecy::ExposeSecret as _;
use wire::Wire;

use super::super::tests::settings_of;
use super::*;

struct Asker {
    issuer: Issuer,
    sts: super::Issuer,
    wire: Wire,
}

impl Asker {
    async fn new() -> Self {
        let issuer = Issuer::open().await;
        let settings =
            settings_of(&[("AWS_ENDPOINT_URL_STS", &issuer.address), ("AWS_SESSION_TOKEN", "session")])
                .unwrap();
        let sts = super::Issuer { settings, kept: Mutex::default() };
        Self { issuer, sts, wire: Wire::network().unwrap() }
    }

    /// So many seconds after a moment.
    async fn at(&self, seconds: i64) -> Result<String, NoAssertion> {
        let now = Timestamp::from_second(1_795_165_200 + seconds).unwrap();
        let token = self.sts.token(Lent { wire: self.wire.clone(), now }).await;
        token.map(|token| token.expose_secret().to_owned())
    }
}

#[tokio::test]
async fn a_token_is_used_until_a_minute_before_its_end() {
    let asker = Asker::new().await;
    let first = asker.at(0).await.unwrap();
    assert!(is_jwt(&first), "{first}");
    assert_eq!(asker.at(239).await.unwrap(), first);
    assert_eq!(asker.issuer.asked(), [300]);
    assert_ne!(asker.at(240).await.unwrap(), first);
    // Of a clock that was set back nobody knows how old the token is.
    asker.at(100).await.unwrap();
    assert_eq!(asker.issuer.asked(), [300, 300]);
}

#[tokio::test]
async fn askers_side_by_side_share_one_token() {
    let asker = Asker::new().await;
    let (one, other) = tokio::join!(asker.at(0), asker.at(0));
    assert_eq!(one.unwrap(), other.unwrap());
    assert_eq!(asker.issuer.asked(), [300]);
}

#[tokio::test]
async fn a_token_ends_with_the_moment_that_sts_tells() {
    let asker = Asker::new().await;
    let answer = |moment: &str| Instead {
        status: 200,
        body: format!("<R><WebIdentityToken>a.b.c</WebIdentityToken><Expiration>{moment}</Expiration></R>"),
    };
    // 100 seconds after the moment at which it is asked for, which is 09:00:00.
    asker.issuer.answer_instead(answer("2026-11-20T09:01:40Z"));
    assert_eq!(asker.at(0).await.unwrap(), "a.b.c");
    assert_eq!(asker.at(39).await.unwrap(), "a.b.c");
    assert_ne!(asker.at(40).await.unwrap(), "a.b.c");
}

#[tokio::test]
async fn a_session_that_is_about_to_end_gets_a_shorter_token() {
    let asker = Asker::new().await;
    asker.issuer.end_session_in(100);
    let token = asker.at(0).await.unwrap();
    assert_eq!(asker.at(29).await.unwrap(), token);
    assert_ne!(asker.at(30).await.unwrap(), token);
    assert_eq!(asker.issuer.asked(), [300, 60, 300, 60]);
    asker.issuer.end_session_in(10);
    let NoAssertion::NotNow(why) = asker.at(100).await.unwrap_err() else { panic!("it passes by itself") };
    assert!(why.contains("SessionDurationEscalationException") && why.contains("the next instance"), "{why}");
}

#[tokio::test]
async fn what_passes_is_tried_again_at_once_and_left_for_later_then() {
    let asker = Asker::new().await;
    asker.issuer.refuse(400, "Throttling");
    asker.issuer.refuse(503, "ServiceUnavailable");
    asker.at(0).await.unwrap();
    assert_eq!(asker.issuer.asked(), [300, 300, 300]);
    for _ in 0..3 {
        asker.issuer.refuse(400, "ThrottlingException");
    }
    let why = NoAssertion::NotNow("AWS answers 400 ThrottlingException".to_owned());
    assert_eq!(asker.at(300).await, Err(why));
    asker.at(300).await.unwrap();
    for code in ["ExpiredToken", "ExpiredTokenException", "RequestExpired"] {
        asker.issuer.refuse(403, code);
        let NoAssertion::NotNow(why) = asker.at(600).await.unwrap_err() else {
            panic!("it passes by itself")
        };
        assert!(why.contains(code) && why.contains("the next instance has another"), "{why}");
    }
}

#[tokio::test]
async fn what_a_person_has_to_mend_is_told_with_its_fix_and_no_words_of_others() {
    let asker = Asker::new().await;
    for (status, code, fix) in [
        (403, "AccessDenied", "allow the function's role `sts:GetWebIdentityToken`"),
        (403, "OutboundWebIdentityFederationDisabledException", "enable-outbound-web-identity-federation"),
        (403, "RegionDisabledException", "switch STS on for this region"),
        (400, "JWTPayloadSizeExceededException", "too many tags"),
        (403, "InvalidClientTokenId", "AWS_SESSION_TOKEN as Lambda sets them"),
        (400, "InvalidAction", "check AWS_REGION and AWS_ENDPOINT_URL_STS"),
        (400, "SomethingNew", "look the code up"),
    ] {
        asker.issuer.refuse(status, code);
        let NoAssertion::Refused(why) = asker.at(0).await.unwrap_err() else { panic!("{code}") };
        assert!(why.starts_with(&format!("AWS answers {status} {code}; ")) && why.contains(fix), "{why}");
        assert!(!why.contains("words of AWS"), "{why}");
    }
    for body in
        ["", "{}", "<WebIdentityToken></WebIdentityToken>", "<WebIdentityToken>a.b.<c</WebIdentityToken>"]
    {
        asker.issuer.answer_instead(Instead { status: 200, body: body.to_owned() });
        let NoAssertion::Refused(why) = asker.at(0).await.unwrap_err() else { panic!("{body}") };
        assert!(why.contains("no token in the answer; only the endpoint of a region"), "{why}");
    }
}

/// The emulator is nobody's of ours, and strict about the form. It signs with HS256, which Entra does not take.
#[tokio::test]
async fn another_implementation_understands_the_request_and_tells_the_end_of_its_token() {
    let aws = Aws::new(Wire::network().unwrap(), super::super::tests::settings());
    let Signed { token, expires_at } = aws.web_identity_token(SignedDuration::from_mins(5)).await.unwrap();
    assert!(is_jwt(token.expose_secret()));
    let left = expires_at.unwrap().duration_since(Timestamp::now());
    assert!(left > SignedDuration::ZERO && left <= SignedDuration::from_mins(5), "{left}");
}

#[tokio::test]
async fn an_address_where_nobody_answers_is_told_as_passing_trouble() {
    let settings = settings_of(&[("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9")]).unwrap();
    let sts = super::Issuer { settings, kept: Mutex::default() };
    let lent = Lent { wire: Wire::network().unwrap(), now: Timestamp::UNIX_EPOCH };
    let error = sts.token(lent).await.unwrap_err();
    assert!(matches!(&error, NoAssertion::NotNow(why) if why.contains("cannot connect")), "{error:?}");
}

#[test]
fn the_address_is_that_of_the_region_and_nothing_shows_a_key() {
    let address = |changes: &[(&str, &str)]| {
        let aws = Aws::new(Wire::network().unwrap(), settings_of(changes).unwrap());
        aws.address("sts").unwrap().to_string()
    };
    assert_eq!(address(&[]), "https://sts.eu-central-1.amazonaws.com/");
    assert_eq!(address(&[("AWS_REGION", "cn-north-1")]), "https://sts.cn-north-1.amazonaws.com.cn/");
    let everywhere = ("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
    assert_eq!(address(&[everywhere]), "http://127.0.0.1:1/");
    assert_eq!(address(&[everywhere, ("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:2")]), "http://127.0.0.1:2/");
    let settings = settings_of(&[("AWS_SECRET_ACCESS_KEY", "hush")]).unwrap();
    let app = App {
        tenant: model::TenantId::from_u128(1),
        client_id: "client".to_owned(),
        credential: Credential::Federated(federated(settings)),
    };
    assert!(!format!("{app:?}").contains("hush"));
}
