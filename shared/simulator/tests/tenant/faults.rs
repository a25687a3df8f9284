//! Failures on purpose: each shows as the real one would.
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use serde_json::json;
use simulator::{Delay, Failure, Failures, Fault, Invite, Quota, RetryAfter, Stale, Throttle, contoso};

use crate::world::World;

#[tokio::test]
async fn a_stale_read_answers_with_the_version_from_before_until_the_lag_is_over() {
    let world = World::new().await;
    let token = world.reader().await;
    let lag = SignedDuration::from_secs(30);
    world.simulator.set_faults(|faults| faults.stale = Some(Stale { lag, chance: 1.0 }));
    world.pass(SignedDuration::from_mins(1));
    let tenant = world.simulator.tenant();
    tenant.disable(contoso::BOB).unwrap();
    tenant.add_member(contoso::MARKETING, contoso::BOB).unwrap();
    let enabled = format!("/users/{}?$select=accountEnabled", contoso::BOB);
    let groups = format!("/users/{}/memberOf/graph.group?$select=displayName", contoso::BOB);
    assert_eq!(world.get(&token, &enabled).await.body["accountEnabled"], true);
    assert_eq!(world.get(&token, &groups).await.values().len(), 1);
    assert!(!tenant.user(contoso::BOB).unwrap().enabled, "the truth is never stale");
    world.pass(lag);
    assert_eq!(world.get(&token, &enabled).await.body["accountEnabled"], false);
    assert_eq!(world.get(&token, &groups).await.values().len(), 2);
}

#[tokio::test]
async fn a_fresh_object_is_not_there_yet() {
    let world = World::new().await;
    let (token, writer) = (world.reader().await, world.writer().await);
    let lag = SignedDuration::from_secs(30);
    world.simulator.set_faults(|faults| faults.fresh = Some(Stale { lag, chance: 1.0 }));
    let guest = world.simulator.tenant().invite(Invite::new("mallory@evil.example", contoso::ALICE));
    let path = format!("/users/{guest}");
    world.get(&token, &path).await.expect_error(404, "Request_ResourceNotFound");
    let off = json!({"accountEnabled": false});
    world.call(&writer, "PATCH", &path, Some(off.clone())).await.expect(404);
    world.pass(lag);
    world.get(&token, &path).await.expect(200);
    world.call(&writer, "PATCH", &path, Some(off)).await.expect(204);
}

#[tokio::test]
async fn a_stale_group_shows_the_members_owners_and_name_from_before() {
    let world = World::new().await;
    let token = world.reader().await;
    let tenant = world.simulator.tenant();
    let lag = SignedDuration::from_secs(30);
    world.simulator.set_faults(|faults| faults.stale = Some(Stale { lag, chance: 1.0 }));
    world.pass(SignedDuration::from_mins(1));
    tenant.add_member(contoso::FINANCE, contoso::ALICE).unwrap();
    tenant.remove_member(contoso::FINANCE, contoso::BOB).unwrap();
    tenant.add_owner(contoso::FINANCE, contoso::BOB).unwrap();
    tenant.rename_group(contoso::FINANCE, "Finance").unwrap();
    let (alice, bob, carol) =
        (contoso::ALICE.to_string(), contoso::BOB.to_string(), contoso::CAROL.to_string());
    let path = format!("/groups/{}", contoso::FINANCE);
    for (name, members, owners) in
        [("Finance Board", [&bob], vec![&carol]), ("Finance", [&alice], vec![&bob, &carol])]
    {
        assert_eq!(world.get(&token, &path).await.body["displayName"], name);
        assert_eq!(world.get(&token, &format!("{path}/members?$select=id")).await.ids(), members);
        let found = world.get(&token, &format!("{path}/owners?$select=id")).await;
        let mut found = found.ids();
        found.sort_unstable();
        let mut owners: Vec<&str> = owners.into_iter().map(String::as_str).collect();
        owners.sort_unstable();
        assert_eq!(found, owners);
        world.pass(lag);
    }
}

#[tokio::test]
async fn a_fresh_guest_is_in_no_group_yet_and_cannot_be_linked_or_unlinked() {
    let world = World::new().await;
    let token = world.master().await;
    let tenant = world.simulator.tenant();
    let lag = SignedDuration::from_secs(30);
    world.simulator.set_faults(|faults| faults.fresh = Some(Stale { lag, chance: 1.0 }));
    let guest = tenant.invite(Invite::new("mallory@evil.example", contoso::ALICE));
    tenant.add_member(contoso::MARKETING, guest).unwrap();
    let members = format!("/groups/{}/members", contoso::MARKETING);
    let reference = json!({"@odata.id": format!("{}/v1.0/directoryObjects/{guest}", world.simulator.url())});
    let link = format!("/groups/{}/members/$ref", contoso::FINANCE);
    assert!(world.get(&token, &members).await.ids().is_empty());
    let removal = format!("{members}/{guest}/$ref");
    world.call(&token, "DELETE", &removal, None).await.expect_error(404, "Request_ResourceNotFound");
    world.call(&token, "POST", &link, Some(reference.clone())).await.expect(404);
    world.pass(lag);
    assert_eq!(world.get(&token, &members).await.ids(), [guest.to_string()]);
    world.call(&token, "POST", &link, Some(reference)).await.expect(204);
    world.call(&token, "DELETE", &removal, None).await.expect(204);
}

#[tokio::test]
async fn throttling_and_failures_are_graph_errors_with_their_header() {
    let world = World::new().await;
    let token = world.reader().await;
    let throttle = Throttle { every: 2, retry_after: RetryAfter::Seconds(3), ..Throttle::default() };
    world.simulator.set_faults(|faults| faults.throttle = Some(throttle));
    world.get(&token, "/organization").await.expect(200);
    let refused = world.get(&token, "/organization").await;
    refused.expect_error(429, "TooManyRequests");
    assert_eq!(refused.headers["retry-after"], "3");
    world.simulator.calm();
    let failures = Failures { chance: 1.0, statuses: vec![502], retry_after: RetryAfter::None };
    world.simulator.set_faults(|faults| faults.failures = Some(failures));
    let failed = world.get(&token, "/organization").await;
    failed.expect_error(502, "BadGateway");
    assert!(failed.headers.get("retry-after").is_none());
}

#[tokio::test]
async fn a_fault_strikes_exactly_the_next_matching_call() {
    let world = World::new().await;
    let writer = world.writer().await;
    let path = format!("/users/{}", contoso::BOB);
    let off = || Some(json!({"accountEnabled": false}));
    world.simulator.set_faults(|faults| {
        faults.next(Fault::new("PATCH", "/users", Failure::Status(503, RetryAfter::Decimals(0.5))))
    });
    world.get(&writer, &path).await.expect(200);
    world.call(&writer, "PATCH", &path, off()).await.expect_error(503, "ServiceUnavailable");
    assert!(world.simulator.tenant().user(contoso::BOB).unwrap().enabled);
    world.call(&writer, "PATCH", &path, off()).await.expect(204);
    assert_eq!(world.simulator.faults().queued.len(), 0);
}

#[tokio::test]
async fn a_cut_connection_has_no_effect_and_a_lost_answer_has() {
    let world = World::new().await;
    let writer = world.writer().await;
    let path = format!("/users/{}", contoso::BOB);
    for (failure, enabled) in [(Failure::Reset, true), (Failure::LostAnswer, false)] {
        world.simulator.set_faults(|faults| faults.next(Fault::new("PATCH", "/users", failure)));
        let request = world.request(&writer, "PATCH", &path, Some(&json!({"accountEnabled": false})));
        assert!(request.send().await.is_err());
        assert_eq!(world.simulator.tenant().user(contoso::BOB).unwrap().enabled, enabled, "{failure:?}");
    }
}

#[tokio::test]
async fn answers_can_be_slow_or_never_come() {
    let world = World::new().await;
    let token = world.reader().await;
    let slow = Delay { by: SignedDuration::from_millis(120), chance: 1.0 };
    world.simulator.set_faults(|faults| faults.delay = Some(slow));
    let begin = Instant::now();
    world.get(&token, "/organization").await.expect(200);
    assert!(begin.elapsed() >= Duration::from_millis(120));
    world.simulator.calm();
    world.simulator.set_faults(|faults| faults.next(Fault::any("/", Failure::Hang)));
    let request = world.request(&token, "GET", "/organization", None).timeout(Duration::from_millis(150));
    assert!(request.send().await.unwrap_err().is_timeout());
    world.get(&token, "/organization").await.expect(200);
}

#[tokio::test]
async fn the_token_endpoint_can_fail_and_recover() {
    let world = World::new().await;
    world
        .simulator
        .set_faults(|faults| faults.next(Fault::any("/token", Failure::Status(503, RetryAfter::None))));
    let form = format!(
        "client_id={}&client_secret={}&grant_type=client_credentials&scope=https%3A%2F%2Fgraph.microsoft.com%2F.default",
        contoso::READER,
        contoso::READER_SECRET
    );
    let tenant = contoso::TENANT.to_string();
    world.ask_for_token(&tenant, &form).await.expect(503);
    world.ask_for_token(&tenant, &form).await.expect(200);
    assert_eq!(world.simulator.traffic().token_requests, 2);
}

#[tokio::test]
async fn a_quota_turns_requests_of_low_priority_away_first_each_part_of_a_batch_by_itself() {
    let world = World::new().await;
    let token = world.reader().await;
    let quota = Quota { units: 8, within: SignedDuration::from_secs(10) };
    world.simulator.set_faults(|faults| faults.quota = Some(quota));
    let path = format!("/users/{}?$select=id", contoso::BOB);
    for _ in 0..6 {
        world.get(&token, &path).await.expect(200);
    }
    let low = world.request(&token, "GET", &path, None).header("x-ms-throttle-priority", "low");
    let refused = low.send().await.unwrap();
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["retry-after"]),
        (429, &"10.000".parse().unwrap())
    );
    world.get(&token, &path).await.expect(200);
    world.pass(SignedDuration::from_secs(10));

    let part = |id: u8, priority: &str| json!({"id": id.to_string(), "method": "GET", "url": path, "headers": {"x-ms-throttle-priority": priority}});
    let parts: Vec<_> =
        (0..7).map(|id| part(id, "low")).chain([part(7, "normal"), part(8, "urgent")]).collect();
    let answer = world.call(&token, "POST", "/$batch", Some(json!({"requests": parts}))).await;
    let mut statuses: Vec<(String, u64)> = answer.body["responses"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["id"].as_str().unwrap().to_owned(), one["status"].as_u64().unwrap()))
        .collect();
    statuses.sort_unstable();
    let statuses: Vec<u64> = statuses.into_iter().map(|(_, status)| status).collect();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 200, 429, 200, 400]);
    assert_eq!(world.simulator.traffic().throttled, 2);
}
