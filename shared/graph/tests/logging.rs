//! What the log may hold: methods, paths with object ids, statuses and request ids. No token, secret, body or query.
//! One process and one test, because a subscriber that is set for a thread misses what others registered first.

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use axum::Router;
    use axum::extract::Request;
    use axum::response::IntoResponse;
    use graph::{App, Client, Cloud, Credential, GraphError, NewSubscription, Reader};
    use http::StatusCode;
    use jiff::Timestamp;
    use model::{Clock, ObjectId, TenantId, Watched};
    use secrecy::SecretString;
    use wire::Wire;

    const GUEST: ObjectId = ObjectId::from_u128(1);
    const BUSY: ObjectId = ObjectId::from_u128(2);

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(text);
            Ok(text.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Entra knows the secret `hush` alone; Graph knows one guest, and is busy with another.
    async fn answer(request: Request) -> impl IntoResponse {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        let right = body.windows(4).any(|part| part == b"hush");
        let ids = [("request-id", "theirs"), ("retry-after", "77")];
        let path = parts.uri.path();
        let (status, text) = if path.ends_with("/token") && right {
            (
                200,
                r#"{"token_type": "Bearer", "expires_in": 3599, "access_token": "head.body.tail"}"#
                    .to_owned(),
            )
        } else if path.ends_with("/token") {
            (401, r#"{"error": "invalid_client", "error_description": "AADSTS7000215: no"}"#.to_owned())
        } else if path.ends_with(&GUEST.to_string()) {
            (200, format!(r#"{{"id": "{GUEST}", "mail": "mallory@evil.example"}}"#))
        } else if path.ends_with(&BUSY.to_string()) {
            (429, String::new())
        } else {
            (403, r#"{"error": {"code": "ExtensionError", "message": "no"}}"#.to_owned())
        };
        (StatusCode::from_u16(status).unwrap(), ids, text)
    }

    fn client(secret: &str) -> Client {
        let wire = Wire::InProcess(Router::new().fallback(answer));
        let credential = Credential::Secret(SecretString::from(secret));
        let app = App { tenant: TenantId::from_u128(3), client_id: "client".to_owned(), credential };
        let clock = Clock::new(|| Timestamp::UNIX_EPOCH);
        Client::new(wire, Cloud::Global.endpoints(), app, clock, Duration::ZERO)
    }

    async fn do_a_little_of_everything() {
        let reader = Reader::new(client("hush"));
        reader.user(GUEST).await.unwrap();
        assert!(matches!(reader.user(BUSY).await, Err(GraphError::Throttled { .. })));
        let new = NewSubscription {
            watched: Watched::Users,
            notification_url: "https://guestlist.example/n".to_owned(),
            lifecycle_url: "https://guestlist.example/l".to_owned(),
            client_state: SecretString::from("v1.state"),
            expires_at: "2026-12-01T10:00:00Z".parse().unwrap(),
        };
        assert!(matches!(reader.create_subscription(new).await, Err(GraphError::Forbidden { .. })));
        assert!(matches!(client("wrong").granted_roles().await, Err(GraphError::Credential { .. })));
    }

    #[tokio::test]
    async fn the_log_names_the_exchange_and_holds_no_secret_and_no_address() {
        let log = Log::default();
        let writer = log.clone();
        tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .init();
        do_a_little_of_everything().await;
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        for part in [
            &format!("graph.path=\"/v1.0/users/{GUEST}\""),
            "graph.method=GET",
            "graph.status=200",
            "graph.status=429",
            "graph.request_id=\"theirs\"",
            "graph.duration_ms=",
            "gave up on a call to Graph",
            "AADSTS7000215",
        ] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
        for secret in
            ["hush", "wrong", "Bearer", "head.", "v1.state", "select", "evil.example", "client_secret"]
        {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}
