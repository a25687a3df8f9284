//! What no honest sender posts: damaged, deep, doubled and endless bodies.

use proptest::prelude::*;

use super::*;

#[test]
fn unknown_fields_are_tolerated_however_deep() {
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let body = user_updated().to_string();
    let (_, rest) = body.split_at(1);
    let body = format!("{{\"value\":[{{\"new\":{deep},{rest}],\"other\":{deep}}}");
    let items = parse(body.as_bytes()).unwrap();
    assert!(items[0].event.is_ok(), "{:?}", items[0].event);
}

#[test]
fn a_repeated_key_spoils_its_own_item_alone() {
    let good = user_updated().to_string();
    let (_, rest) = good.split_at(1);
    let item = |first: &str| format!("{{{first},{rest}");
    let nested = good.replacen("{\"@odata.id\"", "{\"id\":\"x\",\"@odata.id\"", 1);
    assert_ne!(nested, good);
    let body = format!(
        "{{\"value\":[{},{},{},{nested},{good}]}}",
        item("\"changeType\":\"deleted\""),
        item("\"clientState\":\"mine\""),
        item("\"new\":1,\"n\\u0065w\":2"),
    );
    let items = parse(body.as_bytes()).unwrap();
    let told: Vec<_> = items.iter().map(|item| item.event.as_ref().err().map(ToString::to_string)).collect();
    let twice = |key: &str| Some(format!("`{key}` is there twice"));
    assert_eq!(told, [twice("changeType"), twice("clientState"), twice("new"), twice("id"), None]);
    assert_eq!(items[0].client_state.as_deref(), Some("v1.k.n.m"), "known, so that the item can be kept");
    assert_eq!(items[1].client_state, None, "which of the two counts?");
}

#[test]
fn a_key_that_is_no_text_spoils_its_item_and_hides_no_client_state() {
    let good = user_updated().to_string();
    let (_, rest) = good.split_at(1);
    let (with, within) =
        ("{\"a\\ud800\\n\\udfffb\":{\"clientState\":1},", "\"resourceData\":{\"\\udc00\":1,");
    for item in [format!("{with}{rest}"), good.replacen("\"resourceData\":{", within, 1)] {
        assert_ne!(item, good);
        let body = format!("{{\"value\":[{item},{good}]}}");
        let sifted = sift(body.as_bytes(), |state| (state == "v1.k.n.m").then_some(())).unwrap();
        assert_eq!((sifted.ours.len(), sifted.others), (2, 0));
        let (_, odd) = &sifted.ours[0];
        assert_eq!(odd.event.as_ref().unwrap_err().to_string(), "a key is not a text");
        assert!(odd.subscription.is_some() && odd.tenant.is_some());
        assert!(sifted.ours[1].1.event.is_ok());
        let kept = odd.redacted();
        assert_eq!(kept, item.replacen("\"v1.k.n.m\"", "\"(redacted)\"", 1));
    }
}

#[test]
fn hostile_texts_are_unreadable_or_harmless() {
    let good = user_updated().to_string();
    for (from, to, readable) in [
        ("v1.k.n.m", "\\u0000", true),
        ("v1.k.n.m", "\\ud800", false),
        ("v1.k.n.m", "\\udc00\\ud800", false),
        ("\"updated\"", "\"upd\\u0061ted\"", true),
        ("\"v1.k.n.m\"", "1e999999", false),
        ("\"v1.k.n.m\"", "{\"a\":[]}", false),
    ] {
        let body = format!("{{\"value\":[{}]}}", good.replacen(from, to, 1));
        let items = parse(body.as_bytes()).unwrap();
        assert_eq!(items[0].event.is_ok(), readable, "{to}: {:?}", items[0].event);
    }
}

#[test]
fn a_body_that_is_not_what_graph_posts_is_refused_as_a_whole() {
    for body in [
        &b""[..],
        b"null",
        b"[]",
        b"[[]]",
        b"{}",
        b"{\"value\":null}",
        b"{\"value\":{}}",
        b"{\"value\":[]",
        b"{\"value\":[]} x",
        b"{\"value\":[],\"value\":[]}",
        b"{\"value\":[1,]}",
        b"{\"value\":[\"\xff\"]}",
        b"{\"value\":[\"\x00\"]}",
        b"\xef\xbb\xbf{\"value\":[]}",
        b"value=1",
    ] {
        let error = parse(body).unwrap_err().to_string();
        assert!(error.starts_with("the body is not JSON of the form `{\"value\": [...]}`"), "{error}");
        assert!(error.len() < 300 && !error.contains('\n'));
    }
    assert_eq!(parse(b" {\"value\": []}\r\n"), Ok(Vec::new()));
}

#[test]
fn a_hundred_thousand_items_are_read_one_by_one() {
    let item = user_updated().to_string();
    let body = format!("{{\"value\":[{}{item}]}}", format!("{item},").repeat(99_999));
    let items = parse(body.as_bytes()).unwrap();
    assert_eq!(items.iter().filter(|item| item.event.is_ok()).count(), 100_000);
}

#[test]
fn nothing_is_kept_of_an_item_that_is_not_opened() {
    let ours = user_updated().to_string();
    let body = format!("{{\"value\":[{}{{\"clientState\":\"forged\"}},{ours},7]}}", "0,".repeat(1_000_000));
    let sifted = sift(body.as_bytes(), |state| (state == "v1.k.n.m").then_some("opened")).unwrap();
    let kept: Vec<_> = sifted.ours.iter().map(|(opened, item)| (*opened, item.event.is_ok())).collect();
    assert_eq!((kept, sifted.others), (vec![("opened", true)], 1_000_002));
    let spoiled = body.replace("7]}", "7]");
    assert!(sift(spoiled.as_bytes(), |_| Some(())).is_err(), "an item counts only when the whole was read");
}

#[test]
fn what_is_kept_of_an_unreadable_item_has_all_its_oddities_and_not_its_secret() {
    let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    let raw = format!(
        "{{\"client\\u0053tate\":\"v1.k\\u002en.m\",\"a\\nb\":1e999,\"x\":1,\"x\":2,\"deep\":{deep}}}"
    );
    let items = parse(format!("{{\"value\":[{raw}]}}").as_bytes()).unwrap();
    assert_eq!(items[0].client_state.as_deref(), Some("v1.k.n.m"));
    let expected =
        format!("{{\"clientState\":\"(redacted)\",\"a\\nb\":1e999,\"x\":1,\"x\":2,\"deep\":{deep}}}");
    assert_eq!(items[0].redacted(), expected);
    assert_eq!(one(&json!("x")).redacted(), "\"x\"");
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..2_000)) {
        let _ = parse(&body);
    }

    #[test]
    fn no_damaged_notification_makes_it_panic(
        cuts in prop::collection::vec((0_usize..900, 0_usize..40, "[\\x00-\\x7f\u{e4}\\\\\"{}\\[\\]:,]{0,12}"), 1..6),
    ) {
        let mut body = json!({"value": [user_updated(), group_updated(&json!([{"id": OTHER}]))]}).to_string();
        for (from, length, text) in cuts {
            let from = from.min(body.len());
            let to = (from + length).min(body.len());
            if body.is_char_boundary(from) && body.is_char_boundary(to) {
                body.replace_range(from..to, &text);
            }
        }
        for item in parse(body.as_bytes()).unwrap_or_default() {
            let again = format!("{{\"value\":[{}]}}", item.raw);
            prop_assert_eq!(parse(again.as_bytes()), Ok(vec![item]), "what is kept reads back as it was");
        }
    }

    #[test]
    fn whatever_a_text_holds_it_is_read_or_refused(text in any::<String>(), pointer in prop::sample::select(vec![
        "/resource", "/changeType", "/clientState", "/subscriptionId", "/tenantId", "/resourceData/id",
        "/resourceData/@odata.type", "/resourceData/sequenceNumber", "/subscriptionExpirationDateTime",
    ])) {
        let item = one(&with(pointer, json!(text)));
        if let Ok(Event::Changed { id, .. }) = item.event {
            prop_assert_eq!(id, ID.parse().unwrap());
        }
    }
}
