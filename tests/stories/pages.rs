//! The link in the chat opens a page about one incident. It acts on nothing, and opens nothing else to anybody.

use guestlist_tests::{Heard, Setup, World, tenant};
use host::{Assembly, Environment, Limits, Part, Settings};
use http::{HeaderValue, Method, header};
use insta::assert_snapshot;
use jiff::SignedDuration;
use model::Answer;
use url::Url;
use wire::Call;

use crate::policies::{PARTNERS_ONLY, asking};

const ROOT: &str = "https://guestlist-pages.contoso.com";

/// People are asked about a guest, in a message that leads to a page.
async fn asked(address: &str) -> (World, guestlist_tests::Guest, String) {
    let setup = Setup {
        also: vec![("GUESTLIST_APPROVALS_URL", ROOT.to_owned())],
        ..Setup::with_policy(&asking(PARTNERS_ONLY))
    };
    let mut world = World::new(setup).await;
    let guest = world.tenant.invite(address);
    world.settle().await;
    let link = link(&world.slack.next().json().to_string());
    (world, guest, link)
}

/// The only link in a message of Slack: its path and query.
#[track_caller]
fn link(message: &str) -> String {
    let links: Vec<&str> = message.split('<').skip(1).filter_map(|rest| rest.split('>').next()).collect();
    assert_eq!(links.len(), 1, "{message}");
    links[0].strip_prefix(ROOT).unwrap_or_else(|| panic!("{message}")).to_owned()
}

async fn follow(world: &World, method: Method, path: &str, accept: &'static str) -> Heard {
    let mut call = Call::new(method, world.receiver.join(path).unwrap());
    call.headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
    Heard::of(&world.assembly.wire.send(call).await.unwrap())
}

/// As text, without what is drawn anew in every run.
async fn read(world: &World, path: &str) -> String {
    let heard = follow(world, Method::GET, path, "text/plain").await;
    assert_eq!((heard.status, heard.header("content-type")), (200, Some("text/plain; charset=utf-8")));
    guestlist_tests::without_ids(&heard.body)
}

#[tokio::test]
async fn the_link_in_the_chat_opens_the_page_and_shows_how_it_goes_on() {
    let (mut world, sam, link) = asked("sam@northwind.example").await;
    world.simulator.reset_traffic();
    let page = follow(&world, Method::GET, &link, "text/html,application/xhtml+xml,*/*;q=0.8").await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let id = world.incident(sam).await.id;
    assert!(page.body.contains(&format!("guestlist approve {id} --plan ")), "{}", page.body);
    assert!(!page.body.contains("href") && !page.body.contains("<form"), "{}", page.body);
    for (name, value) in [
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("x-robots-tag", "noindex, nofollow"),
    ] {
        assert_eq!(page.header(name), Some(value), "{name}");
    }
    assert!(
        page.header("content-security-policy").unwrap().starts_with("default-src 'none'; style-src 'sha256-")
    );
    assert_eq!(page.header("set-cookie"), None);
    assert_snapshot!(read(&world, &link).await, @"
    Waits for approval to disable guest sam@northwind.example: otherwise.guest (medium)

    Who
      sam · guest · account enabled
      Address: sam@northwind.example
      Organisation: northwind.example
      Sponsor: Alice
      Object id: <id> · created 2026-11-20 09:00:00 UTC

    What happened
      Breaks the rule otherwise.guest (medium severity)
      • no scenario admits the account
      • mail `sam@northwind.example` is of no partner

    What would be done
      Would disable the account. Nothing was done: it waits for somebody to approve or reject it, because the mode is `ask`. If nobody has by 2026-11-27 09:00:00 UTC, nothing is done.
      • held back: the policy's mode is `ask`

    What a person must do
      Look at it, and approve or reject it before 2026-11-27 09:00:00 UTC.

    Approve: guestlist approve <incident>-1 --plan <plan> --reason …
    Reject: guestlist reject <incident>-1 --reason …
    Details: guestlist incidents show <incident>-1
    incident <incident>-1 · waiting · mode ask · tenant <id> · opened 2026-11-20 09:00:00 UTC · seen twice

    This page acts on nothing. To decide, give the command where Guestlist runs; … stands for your reason.
    ");
    let traffic = world.simulator.traffic();
    assert_eq!((traffic.requests, traffic.token_requests), (0, 0), "a page needs no credential");
    let answer = world.approve(&id).await;
    assert!(matches!(answer, Answer::Done { .. }), "{answer:?}");
    world.expect_disabled(sam);
    let after = read(&world, &link).await;
    assert!(after.contains("Undo: guestlist undo") && !after.contains("guestlist approve"), "{after}");
    world.slack.read_all();
}

#[tokio::test]
async fn a_guessed_an_altered_and_an_expired_link_are_one_404() {
    let (world, sam, link) = asked("sam@northwind.example").await;
    let mary = world.tenant.invite("mary@northwind.example");
    let mut world = world;
    world.settle().await;
    world.slack.read_all();
    let (id, other) = (world.incident(sam).await.id.to_string(), world.incident(mary).await.id.to_string());
    let (path, query) = link.split_once('?').unwrap();
    let later = {
        let mut parts: Vec<String> = query.split('.').map(str::to_owned).collect();
        parts[1] = (parts[1].parse::<i64>().unwrap() + 86_400).to_string();
        parts.join(".")
    };
    let nothing = follow(&world, Method::GET, "/incidents/0000000000000000-1", "*/*").await;
    assert_eq!(nothing.status, 404);
    assert_eq!(nothing.header("cache-control"), Some("no-store"));
    for altered in [
        path.to_owned(),
        format!("{path}?"),
        format!("{path}?link="),
        format!("{path}?link=k1"),
        format!("{path}?LINK={}", query.trim_start_matches("link=")),
        format!("{path}?{later}"),
        format!("{path}?{}", &query[..query.len() - 1]),
        format!("{path}?{query}A"),
        format!("{}?{query}", path.replace(&id, &other)),
        format!("{}?{query}", path.replace("-1", "-2")),
        format!("{}?{query}", path.replace(&id, "0000000000000000-1")),
        format!("{}?{query}", path.replace(&id, "%FF%FE")),
        format!("{}?{query}", path.replace(&id, "..%2f..%2fgraph")),
        format!("{path}?link=x&{query}"),
    ] {
        assert_eq!(follow(&world, Method::GET, &altered, "*/*").await, nothing, "{altered}");
    }
    assert_eq!(follow(&world, Method::GET, &link, "*/*").await.status, 200);
    world.clock.advance(SignedDuration::from_hours(24 * 7));
    assert_eq!(follow(&world, Method::GET, &link, "*/*").await, nothing, "its time is over");
    world.settle().await;
    world.slack.read_all();
}

#[tokio::test]
async fn whoever_has_the_link_can_change_nothing_by_it() {
    let (world, sam, link) = asked("sam@northwind.example").await;
    let (before, rows) = (world.incident(sam).await, world.rows().await);
    world.simulator.reset_traffic();
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS] {
        for path in [link.clone(), format!("{link}&approve=1"), "/incidents/0000000000000000-1".to_owned()] {
            let heard = follow(&world, method.clone(), &path, "*/*").await;
            assert_eq!((heard.status, heard.body.as_str()), (405, ""), "{method} {path}");
            assert_eq!(heard.header("cache-control"), Some("no-store"));
        }
    }
    for _ in 0..3 {
        assert_eq!(follow(&world, Method::GET, &link, "*/*").await.status, 200);
        assert_eq!(follow(&world, Method::HEAD, &link, "*/*").await.body, "");
    }
    assert_eq!(world.incident(sam).await, before);
    assert_eq!(world.rows().await, rows);
    assert_eq!(world.simulator.traffic().requests, 0);
    world.expect_untouched(sam);
}

#[tokio::test]
async fn a_name_with_markup_is_text_on_the_page() {
    let setup = Setup {
        also: vec![("GUESTLIST_APPROVALS_URL", ROOT.to_owned())],
        ..Setup::with_policy(&asking(PARTNERS_ONLY))
    };
    let mut world = World::new(setup).await;
    let name = "</h1><script src=//evil.example></script>'\"&lt;";
    let _ = world.tenant.invite_as("sam@northwind.example", Some(name));
    world.settle().await;
    let link = link(&world.slack.next().json().to_string());
    let page = follow(&world, Method::GET, &link, "text/html").await.body;
    let shown = "&lt;/h1&gt;&lt;script src=//evil.example&gt;&lt;/script&gt;&#39;&quot;&amp;lt;";
    assert!(page.contains(shown) && !page.contains("<script"), "{page}");
}

#[tokio::test]
async fn without_an_address_of_the_pages_there_are_none_and_no_message_leads_to_any() {
    let mut world = World::with_policy(&asking(PARTNERS_ONLY)).await;
    let sam = world.tenant.invite("sam@northwind.example");
    world.settle().await;
    let told = world.slack.next().json().to_string();
    assert!(!told.contains("/incidents/") && !told.contains("Page: "), "{told}");
    let id = world.incident(sam).await.id;
    let keys = world.assembly.keys.clone().unwrap();
    let made = keys.link(tenant(), &id, world.clock.now());
    assert_eq!(follow(&world, Method::GET, &format!("/incidents/{id}?link={made}"), "*/*").await.status, 404);
}

#[tokio::test]
async fn the_function_alone_needs_the_tenant_the_ledger_and_its_keys_and_holds_nothing_else() {
    let (world, _sam, link) = asked("sam@northwind.example").await;
    let values = [
        ("GUESTLIST_TENANT_ID", simulator::contoso::TENANT.to_string()),
        ("GUESTLIST_DATA", world.assembly.settings.data.display().to_string()),
        ("GUESTLIST_READ_CLIENT_SECRET", "would be wrong to read".to_owned()),
        ("GUESTLIST_WRITE_CLIENT_SECRET", "would be wrong to read".to_owned()),
    ];
    let values = values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let settings = Settings::read(&Environment::of(values), Part::Approvals.needs()).unwrap();
    assert!(settings.reader.is_none() && settings.writer.is_none() && settings.policy.is_none());
    let alone = Assembly { settings, policy: None, ..world.assembly.clone() };
    let parts = alone.build(&[Part::Approvals]).unwrap();
    assert!(parts.receiver.is_none() && parts.workers.is_empty() && parts.steward.is_none());
    let (base, _stop): (Url, _) = world.serve_beside(parts.router().unwrap(), Limits::default()).await;
    assert_eq!(world.get_at(&base, &link).await.status, 200);
    assert_eq!(world.get_at(&base, "/graph/notifications").await.status, 404, "it receives nothing");
    world.store.close();
    let broken = world.get_at(&base, &link).await;
    assert_eq!((broken.status, broken.header("cache-control")), (503, Some("no-store")));
}
