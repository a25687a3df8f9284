//! Reads over the whole tenant: where they go on, when they have to begin anew, and what is no answer.

use std::fmt::Debug;

use graph::{
    ChangedGroup, ChangedLink, ChangedUser, Cursor, DeltaFrom, DeltaNext, DeltaPage, GraphError, ListPage,
    Removed, Sweep, Worthless,
};
use jiff::SignedDuration;
use model::ObjectId;
use serde_json::{Value, json};

use crate::fake::{Answer, Fake, GROUP, GUEST};

const USERS: &str = "GET /v1.0/users/delta";
const GROUPS: &str = "GET /v1.0/groups/delta";

fn id(n: u128) -> ObjectId {
    ObjectId::from_u128(n)
}

fn cursor(text: impl Into<String>) -> Cursor {
    Cursor::from(text.into())
}

#[track_caller]
fn page<P: Debug>(sweep: Result<Sweep<P>, GraphError>) -> P {
    match sweep.unwrap() {
        Sweep::Page(page) => page,
        Sweep::StartAnew(why) => panic!("has to begin anew: {why}"),
    }
}

#[track_caller]
fn worthless<P: Debug>(sweep: Result<Sweep<P>, GraphError>) -> Worthless {
    match sweep.unwrap() {
        Sweep::StartAnew(why) => why,
        Sweep::Page(page) => panic!("a page: {page:?}"),
    }
}

/// An answer to a delta query that ends here.
fn last(fake: &Fake, set: &str, items: &Value) -> Answer {
    let link = format!("{}/v1.0/{set}/delta?$deltatoken=end", fake.url);
    Answer::json(200, &json!({"value": items, "@odata.deltaLink": link}))
}

#[tokio::test]
async fn a_delta_query_of_users_names_what_a_judgement_looks_at_and_follows_its_links_as_they_are() {
    let fake = Fake::start().await;
    let reader = fake.reader();
    let next = format!("{}/v1.0/users/delta?$skiptoken=a%20b", fake.url);
    fake.next(USERS, Answer::json(200, &json!({"value": [{"id": GUEST}], "@odata.nextLink": next})));
    let DeltaPage { items, next } = page(reader.users_delta(DeltaFrom::Everything).await);
    assert_eq!(items, [ChangedUser { id: GUEST, removed: None }]);
    let DeltaNext::More(next) = next else { panic!("{next:?}") };

    // From a text, as a store gives it back. Pages may be empty and not the last.
    let kept = cursor(next.as_str());
    let second = format!("{}/v1.0/users/delta?$skiptoken=2", fake.url);
    fake.next(USERS, Answer::json(200, &json!({"value": [], "@odata.nextLink": second})));
    let DeltaPage { items, next } = page(reader.users_delta(DeltaFrom::Cursor(&kept)).await);
    assert_eq!((items, next), (vec![], DeltaNext::More(cursor(second))));

    fake.next(USERS, last(&fake, "users", &json!([])));
    let DeltaPage { items, next } = page(reader.users_delta(DeltaFrom::Now).await);
    assert_eq!(items, []);
    // Nothing happened since: the same link again is an answer.
    let DeltaNext::CaughtUp(end) = next else { panic!("{next:?}") };
    fake.next(USERS, last(&fake, "users", &json!([])));
    let DeltaPage { items: _, next } = page(reader.users_delta(DeltaFrom::Cursor(&end)).await);
    assert_eq!(next, DeltaNext::CaughtUp(end));

    let select = "$select=id,displayName,userPrincipalName,mail,otherMails,proxyAddresses,identities,userType,\
        creationType,externalUserState,accountEnabled,onPremisesSyncEnabled";
    let queries: Vec<String> = fake.seen(USERS).into_iter().map(|seen| seen.query).collect();
    let latest = format!("{select}&$deltatoken=latest");
    assert_eq!(queries, [select, "$skiptoken=a%20b", latest.as_str(), "$deltatoken=end"]);
}

#[tokio::test]
async fn both_forms_of_removal_are_understood() {
    let fake = Fake::start().await;
    let forms = [
        (json!({"reason": "changed"}), Some(Removed::Restorable)),
        (json!({"reason": "deleted"}), Some(Removed::ForGood)),
        (json!("changed"), Some(Removed::Restorable)),
        (json!("deleted"), Some(Removed::ForGood)),
        (json!("Deleted"), Some(Removed::ForGood)),
        (json!({"reason": "something new"}), Some(Removed::Unsaid)),
        (json!({}), Some(Removed::Unsaid)),
        (json!(""), Some(Removed::Unsaid)),
        (Value::Null, None),
    ];
    for (removed, expected) in forms {
        let user = json!([{"id": GUEST, "@removed": removed}]);
        fake.next(USERS, last(&fake, "users", &user));
        let DeltaPage { items, next: _ } = page(fake.reader().users_delta(DeltaFrom::Everything).await);
        assert_eq!(items, [ChangedUser { id: GUEST, removed: expected }], "{removed}");

        let group = json!([{"id": GROUP, "owners@delta": [{"id": GUEST, "@removed": removed}]}]);
        fake.next(GROUPS, last(&fake, "groups", &group));
        let DeltaPage { items, next: _ } = page(fake.reader().groups_delta(DeltaFrom::Everything).await);
        let owner = ChangedLink { id: GUEST, removed: expected.is_some() };
        assert_eq!(
            items,
            [ChangedGroup { id: GROUP, removed: None, members: vec![], owners: vec![owner] }],
            "{removed}"
        );
    }
}

#[tokio::test]
async fn a_group_may_come_in_several_items_and_carries_who_came_and_who_went() {
    let fake = Fake::start().await;
    let items = json!([
        {"id": GROUP, "displayName": "Sales", "members@delta": [
            {"@odata.type": "#microsoft.graph.user", "id": id(1)},
            {"@odata.type": "#microsoft.graph.device", "id": id(2), "@removed": {"reason": "deleted"}},
        ]},
        {"id": GROUP, "members@delta": [{"id": id(3)}], "owners@delta": null},
        {"id": id(9), "@removed": {"reason": "changed"}},
    ]);
    fake.next(GROUPS, last(&fake, "groups", &items));
    let DeltaPage { items, next } = page(fake.reader().groups_delta(DeltaFrom::Everything).await);
    let link = |n: u128, removed| ChangedLink { id: id(n), removed };
    let group = |id, removed, members| ChangedGroup { id, removed, members, owners: vec![] };
    let expected = [
        group(GROUP, None, vec![link(1, false), link(2, true)]),
        group(GROUP, None, vec![link(3, false)]),
        group(id(9), Some(Removed::Restorable), vec![]),
    ];
    assert_eq!(items, expected);
    assert!(matches!(next, DeltaNext::CaughtUp(_)));
    let query = &fake.seen(GROUPS)[0].query;
    assert!(query.starts_with("$select=id,") && query.ends_with(",members,owners"), "{query}");
}

#[tokio::test]
async fn an_answer_of_another_form_is_unreadable_and_names_the_place() {
    let fake = Fake::start().await;
    let reader = fake.reader();
    let link = format!("{}/v1.0/groups/delta?$deltatoken=end", fake.url);
    let good = json!({"id": id(1)});
    for (items, place) in [
        (json!([good, 7]), "`value[1]`: it is not an object"),
        (json!([{}]), "`value[0]`: it has no `id` that is a GUID"),
        (json!([good, {"id": "x"}]), "`value[1]`: it has no `id`"),
        (json!([{"id": id(0)}]), "`value[0]`: it has no `id`"),
        (json!([{"id": id(1), "@removed": true}]), "`@removed` is neither a text nor an object"),
        (json!([{"id": id(1), "@removed": {"reason": 1}}]), "`@removed.reason` is not a text"),
        (json!([{"id": id(1), "members@delta": {}}]), "`value[0]`: `members@delta` is not a list"),
        (json!([{"id": id(1), "members@delta": [good, "x"]}]), "`members@delta[1]`: it is not an object"),
        (json!([{"id": id(1), "owners@delta": [{"id": 5}]}]), "`owners@delta[0]`: it has no `id`"),
        (json!([{"id": id(1), "owners@delta": [{"id": id(2), "@removed": []}]}]), "`owners@delta[0]`: `@re"),
        (json!({"id": id(1)}), "no list of values"),
        (Value::Null, "no list of values"),
    ] {
        fake.next(GROUPS, Answer::json(200, &json!({"value": items, "@odata.deltaLink": link})));
        let error = reader.groups_delta(DeltaFrom::Everything).await.unwrap_err();
        assert!(matches!(error, GraphError::Unreadable { .. }), "{error}");
        assert!(error.to_string().contains(place), "{error}");
    }
    for (next, end) in [(Some(&link), Some(&link)), (None, None)] {
        let body = json!({"value": [], "@odata.nextLink": next, "@odata.deltaLink": end});
        fake.next(GROUPS, Answer::json(200, &body));
        let error = reader.groups_delta(DeltaFrom::Everything).await.unwrap_err();
        assert!(error.to_string().contains("one of `@odata.nextLink` and `@odata.deltaLink`"), "{error}");
    }
    let circle = cursor(format!("{}/v1.0/groups/delta?$skiptoken=1", fake.url));
    fake.next(GROUPS, Answer::json(200, &json!({"value": [], "@odata.nextLink": circle.as_str()})));
    let error = reader.groups_delta(DeltaFrom::Cursor(&circle)).await.unwrap_err();
    assert!(error.to_string().contains("names itself"), "{error}");
}

/// Links that lead anywhere but on with a delta query of users at the Graph of `root`.
fn strange_links(root: &str) -> Vec<String> {
    let port = root.rsplit(':').next().unwrap();
    let mut links: Vec<String> = [
        "https://evil.example/v1.0/users/delta?$deltatoken=1",
        "//evil.example/v1.0/users/delta?$deltatoken=1",
        "/v1.0/users/delta?$deltatoken=1",
        "file:///v1.0/users/delta?$deltatoken=1",
        "users/delta?$deltatoken=1",
        "not a link",
        "",
    ]
    .map(str::to_owned)
    .into();
    links.push(format!("http://127.0.0.1:{port}@evil.example/v1.0/users/delta?$deltatoken=1"));
    links.push(format!("http://me@127.0.0.1:{port}/v1.0/users/delta?$deltatoken=1"));
    links.push(format!("https://127.0.0.1:{port}/v1.0/users/delta?$deltatoken=1"));
    links.extend(
        [
            "/v1.0/groups/delta?$deltatoken=1",
            "/v1.0/users?$skiptoken=1",
            "/v1.0/users/delta/x?$deltatoken=1",
            "/v1.0/users/delta/../../groups?$deltatoken=1",
            "/v1.0/users%2Fdelta?$deltatoken=1",
            "/v1.0//users/delta?$deltatoken=1",
            "/beta/users/delta?$deltatoken=1",
            "/users/delta?$deltatoken=1",
            "/v1.0/users/delta",
            "/v1.0/users/delta?$deltatoken=",
            "/v1.0/users/delta?$deltatoken=latest",
            "/v1.0/users/delta?$deltaToken=Latest",
            "/v1.0/users/delta?%24deltatoken=latest",
            "/v1.0/users/delta?$deltatoken=1&$deltatoken=latest",
            "/v1.0/users/delta?$skiptoken=&$deltatoken=1",
            "/v1.0/users/delta?$select=id",
            "/v1.0/users/delta?$deltatoken=1#here",
        ]
        .map(|path| format!("{root}{path}")),
    );
    links
}

#[tokio::test]
async fn a_kept_cursor_that_leads_elsewhere_is_worthless_and_nothing_is_sent() {
    let fake = Fake::start().await;
    let reader = fake.reader();
    for link in strange_links(&fake.url) {
        let why = worthless(reader.users_delta(DeltaFrom::Cursor(&cursor(link.clone()))).await);
        assert_eq!(why, Worthless::NotOurs, "{link}");
    }
    let of_users = cursor(format!("{}/v1.0/users/delta?$deltatoken=1", fake.url));
    assert_eq!(worthless(reader.groups_delta(DeltaFrom::Cursor(&of_users)).await), Worthless::NotOurs);
    assert_eq!(worthless(reader.list_users(Some(&of_users)).await), Worthless::NotOurs);
    assert_eq!(worthless(reader.list_groups(Some(&of_users)).await), Worthless::NotOurs);
    assert_eq!(fake.granted(), 0, "not even a token was asked for");
}

#[tokio::test]
async fn a_link_in_an_answer_that_leads_elsewhere_is_not_taken() {
    let fake = Fake::start().await;
    let reader = fake.reader();
    for link in strange_links(&fake.url) {
        for name in ["@odata.nextLink", "@odata.deltaLink"] {
            fake.next(USERS, Answer::json(200, &json!({"value": [], name: link})));
            let error = reader.users_delta(DeltaFrom::Everything).await.unwrap_err();
            assert!(matches!(error, GraphError::Unreadable { .. }), "{error}");
            let place = format!("`{name}` does not lead on with the delta query of users");
            assert!(error.to_string().contains(&place), "{error}");
        }
    }
    for link in [json!(7), json!({}), json!([])] {
        fake.next(USERS, Answer::json(200, &json!({"value": [], "@odata.nextLink": link})));
        assert!(reader.users_delta(DeltaFrom::Everything).await.is_err());
    }
    fake.next(
        "GET /v1.0/users",
        Answer::json(200, &json!({"value": [], "@odata.nextLink": "https://evil.example/"})),
    );
    let error = reader.list_users(None).await.unwrap_err();
    assert!(error.to_string().contains("with the list of users at Graph: not followed"), "{error}");
}

#[tokio::test]
async fn graphs_other_names_for_a_delta_query_are_taken() {
    let fake = Fake::start().await;
    for path in ["/users/delta()", "/users/microsoft.graph.delta", "/users/microsoft.graph.delta()"] {
        let link = format!("{}/v1.0{path}?$deltaToken=1", fake.url);
        fake.next(&format!("GET /v1.0{path}"), last(&fake, "users", &json!([{"id": GUEST}])));
        let DeltaPage { items, next: _ } =
            page(fake.reader().users_delta(DeltaFrom::Cursor(&cursor(link))).await);
        assert_eq!(items.len(), 1, "{path}");
    }
}

#[tokio::test]
async fn a_cursor_that_graph_does_not_know_any_more_is_an_answer_and_not_an_error() {
    let fake = Fake::start().await;
    let reader = fake.reader();
    let kept = cursor(format!("{}/v1.0/users/delta?$deltatoken=old", fake.url));
    let again = format!("{}/v1.0/users/delta?$deltatoken=", fake.url);
    for (answer, status, code) in [
        (Answer::error(410, "syncStateNotFound").header("location", &again), 410, "syncStateNotFound"),
        (Answer::text(410, ""), 410, "410"),
        (Answer::error(400, "SyncStateNotFound"), 400, "SyncStateNotFound"),
        (Answer::error(400, "BadRequest"), 400, "BadRequest"),
        (Answer::error(404, "syncStateNotFound"), 404, "syncStateNotFound"),
        (Answer::error(409, "resyncRequired"), 409, "resyncRequired"),
        (Answer::error(406, "resyncChangesApplyDifferences"), 406, "resyncChangesApplyDifferences"),
    ] {
        fake.next(USERS, answer);
        let before = fake.seen(USERS).len();
        let why = worthless(reader.users_delta(DeltaFrom::Cursor(&kept)).await);
        let Worthless::Refused { status: said, code: named, trace } = &why else { panic!("{why}") };
        assert_eq!((*said, named.as_str()), (status, code));
        assert_eq!(trace.request_id.as_deref(), Some("theirs"));
        assert!(why.to_string().contains(&format!("it answers {status} (`{code}`)")), "{why}");
        assert_eq!(fake.seen(USERS).len(), before + 1, "the offered link is not followed");
    }
}

#[tokio::test]
async fn any_other_failure_leaves_the_cursor_as_it_is() {
    let fake = Fake::start().await;
    let reader = fake.reader();
    let kept = cursor(format!("{}/v1.0/users/delta?$deltatoken=good", fake.url));
    for answer in [
        Answer::error(403, "Authorization_RequestDenied"),
        Answer::error(404, "Request_ResourceNotFound"),
        Answer::text(404, "<html>no such page</html>"),
        Answer::text(200, "<html>sign in</html>"),
        Answer::busy(429, "3000"),
        Answer::busy(503, "3000"),
        Answer::error(501, "syncStateNotFound"),
    ] {
        fake.next(USERS, answer.clone());
        let found = reader.users_delta(DeltaFrom::Cursor(&kept)).await;
        assert!(found.is_err(), "{answer:?}: {found:?}");
        fake.pass(SignedDuration::from_hours(1));
    }
    // Who has no cursor cannot begin anew: that would go on for ever.
    for from in [DeltaFrom::Everything, DeltaFrom::Now] {
        for answer in [Answer::error(410, "syncStateNotFound"), Answer::error(400, "BadRequest")] {
            fake.next(USERS, answer);
            assert!(matches!(reader.users_delta(from).await, Err(GraphError::Rejected { .. })));
        }
    }
}

#[tokio::test]
async fn lists_go_on_from_a_text_and_begin_anew_when_the_page_has_expired() {
    let fake = Fake::start().await;
    let reader = fake.reader();
    let users = "GET /v1.0/users";
    let link = format!("{}/v1.0/users?$top=999&$skiptoken=2", fake.url);
    let first = json!({"value": [{"id": GUEST, "userType": "Guest"}], "@odata.nextLink": link});
    fake.next(users, Answer::json(200, &first));
    let ListPage { items, next } = page(reader.list_users(None).await);
    assert_eq!((items[0].id, items[0].user_type.as_deref()), (GUEST, Some("Guest")));
    let kept = cursor(next.unwrap().as_str());
    fake.next(users, Answer::json(200, &json!({"value": []})));
    assert_eq!(page(reader.list_users(Some(&kept)).await), ListPage { items: vec![], next: None });
    fake.next(users, Answer::error(400, "Directory_ExpiredPageToken"));
    let why = worthless(reader.list_users(Some(&kept)).await);
    assert!(matches!(why, Worthless::Refused { status: 400, .. }), "{why}");
    let queries: Vec<String> = fake.seen(users).into_iter().map(|seen| seen.query).collect();
    let select = "$select=id,userType,identities,creationType,externalUserState&$top=999";
    assert_eq!(queries[..2], [select, "$top=999&$skiptoken=2"]);

    let group = json!({"id": GROUP, "displayName": "Sales", "mailEnabled": false, "securityEnabled": true});
    fake.next("GET /v1.0/groups", Answer::json(200, &json!({"value": [group]})));
    let ListPage { items, next } = page(reader.list_groups(None).await);
    assert_eq!((items[0].id, items[0].is_whole(), next), (GROUP, true, None));
    for item in [json!(7), json!({}), json!({"id": "x"})] {
        fake.next("GET /v1.0/groups", Answer::json(200, &json!({"value": [item]})));
        assert!(matches!(reader.list_groups(None).await, Err(GraphError::Unreadable { .. })));
    }
}

#[test]
fn a_cursor_shows_nothing_of_itself_to_a_log() {
    let kept = cursor("https://graph.microsoft.com/v1.0/users/delta?$deltatoken=tell-nobody");
    assert_eq!(format!("{:?}", DeltaNext::CaughtUp(kept)), "CaughtUp(Cursor(…))");
}
