//! What truly changed, and how old the answers were, for whoever wants to know whether somebody has noticed.
use jiff::SignedDuration;
use serde_json::json;
use simulator::{Changed, Failure, Fault, Invite, Read, Stale, What, contoso};

use crate::world::World;

#[tokio::test]
async fn every_change_is_told_once_with_what_it_changed_and_when() {
    let world = World::new().await;
    let tenant = world.simulator.tenant();
    let (there, last) = tenant.changed_after(0);
    assert!(there.iter().any(|one| one.what == What::User(contoso::ALICE)), "{there:?}");
    let guest = tenant.invite(Invite::new("mallory@evil.example", contoso::ALICE));
    tenant.add_member(contoso::FINANCE, guest).unwrap();
    tenant.add_owner(contoso::FINANCE, guest).unwrap();
    tenant.rename_group(contoso::FINANCE, "Finance").unwrap();
    let (group, object, at) = (contoso::FINANCE, guest, tenant.user(guest).unwrap().created_at.unwrap());
    let (changed, last) = tenant.changed_after(last);
    let what: Vec<What> = changed.iter().map(|one| one.what).collect();
    let all = [
        What::User(guest),
        What::Member { group, object },
        What::Owner { group, object },
        What::Group(group),
    ];
    assert_eq!(what, all);
    assert!(changed.iter().all(|one| one.at == at), "{changed:?}");
    world.pass(SignedDuration::from_mins(1));
    tenant.delete_user(guest).unwrap();
    tenant.purge_user(guest).unwrap();
    let later = at.checked_add(SignedDuration::from_mins(1)).unwrap();
    let (gone, _) = tenant.changed_after(last);
    let of_him = Changed { at: later, what: What::User(guest) };
    assert_eq!(gone.iter().filter(|one| **one == of_him).count(), 2, "{gone:?}");
    assert!(gone.contains(&Changed { at: later, what: What::Member { group, object } }), "{gone:?}");
}

#[tokio::test]
async fn every_read_tells_how_old_its_answer_was() {
    let world = World::new().await;
    let token = world.reader().await;
    let bob = format!("/users/{}", contoso::BOB);
    let lag = SignedDuration::from_mins(5);
    world.get(&token, &bob).await.expect(200);
    world.simulator.set_faults(|faults| faults.stale = Some(Stale { lag, chance: 1.0 }));
    let requests = json!([{"id": "1", "method": "GET", "url": format!("{bob}?$select=id")}]);
    world.call(&token, "POST", "/$batch", Some(json!({"requests": requests}))).await.expect(200);
    world.get(&token, "/users/00000000-0000-4000-8000-00000000dead").await.expect(404);
    // What shows nothing is none.
    world.simulator.set_faults(|faults| faults.next(Fault::new("GET", "/users", Failure::NotFound)));
    world.get(&token, &bob).await.expect(404);
    let reads = world.simulator.take_reads();
    let told = |read: &Read| {
        (read.path.clone(), read.query.clone(), read.status, read.at.duration_since(read.shows))
    };
    let fresh = (bob.clone(), String::new(), 200, SignedDuration::ZERO);
    let nobody = ("/users/00000000-0000-4000-8000-00000000dead".to_owned(), String::new(), 404, lag);
    assert_eq!(
        reads.iter().map(told).collect::<Vec<_>>(),
        [fresh, (bob, "$select=id".to_owned(), 200, lag), nobody]
    );
    assert!(reads.iter().all(|read| read.app == contoso::READER), "{reads:?}");
    assert_eq!(world.simulator.take_reads(), []);
}
