//! The token endpoint refuses what Entra refuses, with Entra's codes.
use jiff::SignedDuration;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use simulator::{App, contoso};

use crate::world::World;

const CERTIFICATE: &str = include_str!("../fixtures/test-only-certificate.pem");
const KEY: &[u8] = include_bytes!("../fixtures/test-only-key.pem");
const SCOPE: &str = "scope=https%3A%2F%2Fgraph.microsoft.com%2F.default";

#[tokio::test]
async fn each_mistake_has_its_own_code() {
    let world = World::new().await;
    let tenant = contoso::TENANT.to_string();
    let reader = contoso::READER;
    let secret = contoso::READER_SECRET;
    let unknown = uuid::Uuid::from_u128(1);
    for (tenant, form, status, code) in [
        (
            tenant.as_str(),
            format!("client_id={reader}&client_secret=wrong&grant_type=client_credentials&{SCOPE}"),
            401,
            7_000_215,
        ),
        (
            &tenant,
            format!("client_id={unknown}&client_secret=x&grant_type=client_credentials&{SCOPE}"),
            400,
            700_016,
        ),
        (
            &tenant,
            format!(
                "client_id={reader}&client_secret={secret}&grant_type=client_credentials&scope=User.Read.All"
            ),
            400,
            70_011,
        ),
        (
            &tenant,
            format!("client_id={reader}&client_secret={secret}&grant_type=password&{SCOPE}"),
            400,
            70_003,
        ),
        (&tenant, format!("client_id={reader}&client_secret={secret}&{SCOPE}"), 400, 900_144),
        (&tenant, format!("client_id={reader}&grant_type=client_credentials&{SCOPE}"), 401, 7_000_218),
        (
            "fabrikam.com",
            format!("client_id={reader}&client_secret={secret}&grant_type=client_credentials&{SCOPE}"),
            400,
            90_002,
        ),
    ] {
        let answer = world.ask_for_token(tenant, &form).await;
        assert_eq!(answer.status, status, "{form}: {}", answer.body);
        assert_eq!(answer.body["error_codes"], json!([code]), "{form}");
        let description = answer.body["error_description"].as_str().unwrap();
        assert!(description.starts_with(&format!("AADSTS{code}: ")), "{description}");
        assert!(!description.contains(secret));
    }
}

#[tokio::test]
async fn a_tenant_can_be_named_by_its_domain() {
    let world = World::new().await;
    let form = format!(
        "client_id={}&client_secret={}&grant_type=client_credentials&{SCOPE}",
        contoso::READER,
        contoso::READER_SECRET
    );
    let answer = world.ask_for_token("contoso.com", &form).await;
    assert_eq!(answer.expect(200)["expires_in"], 3599);
}

#[tokio::test]
async fn an_unknown_an_expired_and_a_missing_token_are_refused() {
    let world = World::new().await;
    let token = world.reader().await;
    world.get(&token, "/organization").await.expect(200);
    let refused = world.get("made-up", "/organization").await;
    refused.expect_error(401, "InvalidAuthenticationToken");
    assert!(refused.headers["www-authenticate"].to_str().unwrap().starts_with("Bearer "));
    world.pass(SignedDuration::from_secs(3599));
    world.get(&token, "/organization").await.expect_error(401, "InvalidAuthenticationToken");
    let fresh = world.reader().await;
    world.get(&fresh, "/organization").await.expect(200);
    world.simulator.revoke_tokens();
    world.get(&fresh, "/organization").await.expect_error(401, "InvalidAuthenticationToken");
}

#[tokio::test]
async fn new_permissions_come_with_the_next_token_only() {
    let world = World::new().await;
    let before = world.writer().await;
    world.get(&before, "/auditLogs/directoryAudits").await.expect_error(403, "Authorization_RequestDenied");
    assert!(world.simulator.grant(contoso::WRITER, &["AuditLog.Read.All"]));
    world.get(&before, "/auditLogs/directoryAudits").await.expect_error(403, "Authorization_RequestDenied");
    let after = world.writer().await;
    world.get(&after, "/auditLogs/directoryAudits").await.expect(200);
}

async fn with_certificate() -> World {
    World::with(|options| {
        let app = App {
            certificate_pem: Some(CERTIFICATE.to_owned()),
            ..App::with_secret(APP, "", &["User.Read.All"])
        };
        options.apps.push(App { secret: None, ..app });
    })
    .await
}

const APP: uuid::Uuid = uuid::Uuid::from_u128(0xce27);
/// The SHA-256 thumbprint of the certificate in the fixtures, base64url, as OpenSSL computes it.
const THUMBPRINT: &str = "Y8u_E2Jk5Ucs4e1Pctx0u-IWyV6YLwV94uxnOYT71ck";

fn assertion(world: &World, algorithm: Algorithm, change: impl FnOnce(&mut Value, &mut Header)) -> String {
    let now = world.now().as_second();
    let audience = format!("{}/{}/oauth2/v2.0/token", world.simulator.url(), contoso::TENANT);
    let mut claims = json!({
        "aud": audience, "iss": APP.to_string(), "sub": APP.to_string(), "jti": "one", "nbf": now, "iat": now,
        "exp": now + 300,
    });
    let mut header = Header::new(algorithm);
    header.x5t_s256 = Some(THUMBPRINT.to_owned());
    change(&mut claims, &mut header);
    jsonwebtoken::encode(&header, &claims, &EncodingKey::from_rsa_pem(KEY).unwrap()).unwrap()
}

async fn present(world: &World, assertion: &str) -> Result<(), u64> {
    let kind = "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer";
    let form = format!(
        "client_id={APP}&client_assertion_type={kind}&client_assertion={assertion}&grant_type=client_credentials&{SCOPE}"
    );
    let answer = world.ask_for_token(&contoso::TENANT.to_string(), &form).await;
    if answer.status == 200 { Ok(()) } else { Err(answer.body["error_codes"][0].as_u64().unwrap()) }
}

#[tokio::test]
async fn a_certificate_gets_a_token_once_for_each_assertion() {
    let world = with_certificate().await;
    let good = assertion(&world, Algorithm::PS256, |_, _| {});
    assert_eq!(present(&world, &good).await, Ok(()));
    assert_eq!(present(&world, &good).await, Err(700_027));
    let next = assertion(&world, Algorithm::PS256, |claims, _| claims["jti"] = json!("two"));
    assert_eq!(present(&world, &next).await, Ok(()));
}

#[tokio::test]
async fn an_assertion_that_differs_in_anything_is_refused() {
    let world = with_certificate().await;
    let past = world.now().as_second() - 3600;
    let refuse = async |assertion: String| assert_eq!(present(&world, &assertion).await, Err(700_027));
    refuse(assertion(&world, Algorithm::RS256, |_, _| {})).await;
    refuse(assertion(&world, Algorithm::PS256, |claims, _| claims["aud"] = json!("https://login.example")))
        .await;
    refuse(assertion(&world, Algorithm::PS256, |claims, _| claims["sub"] = json!("somebody"))).await;
    refuse(assertion(&world, Algorithm::PS256, |claims, _| claims["exp"] = json!(past))).await;
    refuse(assertion(&world, Algorithm::PS256, |_, header| header.x5t_s256 = None)).await;
    refuse(assertion(&world, Algorithm::PS256, |_, header| header.x5t_s256 = Some("AAAA".to_owned()))).await;
    let mut forged = assertion(&world, Algorithm::PS256, |_, _| {});
    let at = forged.len() - 10;
    let other = if forged.as_bytes()[at] == b'A' { "B" } else { "A" };
    forged.replace_range(at..=at, other);
    refuse(forged).await;
}
