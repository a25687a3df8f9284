//! Guests are caught, partners are left alone, and what people are told is true.

use guestlist_tests::World;
use insta::assert_snapshot;
use jiff::SignedDuration;
use simulator::{Failure, Fault, NewUser};

use crate::policies::PARTNERS_ONLY;

#[tokio::test]
async fn guest_from_a_blocked_domain_is_disabled_and_the_team_is_told() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let mallory = world.tenant.invite("mallory@evil.example");
    world.settle().await;
    world.expect_disabled(mallory);
    assert_snapshot!(world.slack.next_text(), @"
    Disabled guest mallory@evil[.]example: blocked-domain (high)
    *Who*
    `mallory` · guest · account disabled
    Address: `mallory@evil.example`
    Organisation: `evil.example`
    Sponsor: `Alice`
    Object id: `<id>` · created 2026-11-20 09:00:00 UTC
    *What happened*
    Breaks the rule `blocked-domain` (high severity)
    Why the rule: organisations under sanctions
    • mail `mallory@evil.example` matches `evil.example` in list `blocked`
    • it also breaks `otherwise.guest`: no scenario admits the account; mail `mallory@evil.example` is of no partner
    *What was done*
    Disabled the account, and read it back at 2026-11-20 09:00:04 UTC.
    Graph request-id: `<id>`
    *What is left over*
    • access tokens issued before now stay valid for up to about an hour; apps with sessions of their own may keep them longer
    • memberships, app roles and sharing links of the account that were not taken away are still there, and work again if it is enabled
    Undo: `guestlist undo <incident>-1 --reason …`
    Details: `guestlist incidents show <incident>-1`
    incident <incident>-1 · done · mode enforce · tenant <id> · opened 2026-11-20 09:00:00 UTC · seen twice
    ");
}

#[tokio::test]
async fn guest_whom_nobody_admits_is_disabled() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let stranger = world.tenant.invite("sam@northwind.example");
    world.settle().await;
    world.expect_disabled(stranger);
    assert_snapshot!(world.slack.next_text(), @"
    Disabled guest sam@northwind[.]example: otherwise.guest (medium)
    *Who*
    `sam` · guest · account disabled
    Address: `sam@northwind.example`
    Organisation: `northwind.example`
    Sponsor: `Alice`
    Object id: `<id>` · created 2026-11-20 09:00:00 UTC
    *What happened*
    Breaks the rule `otherwise.guest` (medium severity)
    • no scenario admits the account
    • mail `sam@northwind.example` is of no partner
    *What was done*
    Disabled the account, and read it back at 2026-11-20 09:00:04 UTC.
    Graph request-id: `<id>`
    *What is left over*
    • access tokens issued before now stay valid for up to about an hour; apps with sessions of their own may keep them longer
    • memberships, app roles and sharing links of the account that were not taken away are still there, and work again if it is enabled
    Undo: `guestlist undo <incident>-1 --reason …`
    Details: `guestlist incidents show <incident>-1`
    incident <incident>-1 · done · mode enforce · tenant <id> · opened 2026-11-20 09:00:00 UTC · seen twice
    ");
}

#[tokio::test]
async fn guest_of_a_partner_is_left_alone_and_nobody_is_told() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let adele = world.tenant.invite("adele@fabrikam.com");
    world.settle().await;
    world.tenant.redeem(adele);
    world.settle().await;
    world.expect_untouched(adele);
}

#[tokio::test]
async fn an_evil_twin_of_a_partner_is_no_partner() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let twins = ["mallory@notfabrikam.com", "mallory@fabrikam.com.evil.example", "mallory@fabrıkam.com"];
    let twins = twins.map(|address| world.tenant.invite(address));
    let cousin = world.tenant.invite("adele@eu.FABRIKAM.com");
    world.settle().await;
    for twin in twins {
        world.expect_disabled(twin);
    }
    world.expect_untouched(cousin);
    assert_eq!(world.slack.read_all().len(), 3);
}

#[tokio::test]
async fn our_own_people_are_nobody_s_business() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let dave = world.tenant.0.add_user(NewUser::member("dave@contoso.com"));
    world.settle().await;
    world.tenant.0.set(dave, |user| user.display_name = "David".to_owned()).unwrap();
    world.settle().await;
    assert!(world.tenant.0.user(dave).unwrap().enabled);
    world.expect_no_writes();
}

#[tokio::test]
async fn every_change_is_looked_at_at_once_and_again_five_minutes_later() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let adele = world.tenant.invite("adele@fabrikam.com");
    let path = format!("/users/{}", adele.id());
    let moments = world.moments_of("GET", &path, SignedDuration::from_hours(1)).await;
    assert_eq!(moments, [0, 300]);
}

#[tokio::test]
async fn changes_that_come_together_are_one_look_and_the_second_look_waits_for_the_last_of_them() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let adele = world.tenant.invite("adele@fabrikam.com");
    let path = format!("/users/{}", adele.id());
    for number in 0..20 {
        world.tenant.change(adele, |user| user.display_name = format!("Adele {number}"));
    }
    world.settle_now().await;
    assert_eq!(world.calls("GET", &path), 1, "twenty-one notifications are one look");
    world.clock.advance(SignedDuration::from_mins(2));
    world.tenant.redeem(adele);
    let moments = world.moments_of("GET", &path, SignedDuration::from_hours(1)).await;
    assert_eq!(moments, [0, 300], "the second looks collapse into the later one");
}

#[tokio::test]
async fn a_change_during_the_reading_is_read_again() {
    let world = World::with_policy(PARTNERS_ONLY).await;
    let adele = world.tenant.invite("adele@fabrikam.com");
    let path = format!("/users/{}", adele.id());
    world.deliver().await;
    world.next_faults([Fault::new("GET", "/users", Failure::Delay(std::time::Duration::from_millis(300)))]);
    let reading = world.worker("assess").run_due(16);
    let changing = async {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        world.tenant.change(adele, |user| user.display_name = "Adele Vance".to_owned());
        world.deliver().await;
        assert_eq!(world.worker("assess").run_due(16).await.unwrap(), 0, "one reader at a time");
    };
    let (read, ()) = tokio::join!(reading, changing);
    assert_eq!(read.unwrap(), 1);
    assert_eq!(world.calls("GET", &path), 1);
    world.run("assess").await;
    assert_eq!(world.calls("GET", &path), 2, "what changed in the meantime was read");
    world.expect_untouched(adele);
}

#[tokio::test]
async fn a_stale_read_is_made_good_by_the_second_look() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let adele = world.tenant.invite("adele@fabrikam.com");
    world.settle().await;
    world.tenant.change(adele, |user| user.mail = Some("adele@evil.example".to_owned()));
    world.settle_now().await;
    world.expect_untouched(adele);
    world.settle().await;
    world.expect_disabled(adele);
    assert_snapshot!(world.slack.next_text(), @"
    Disabled guest adele@evil[.]example: blocked-domain (high)
    *Who*
    `adele` · guest · account disabled
    Address: `adele@evil.example`
    Organisation: `evil.example`
    Sponsor: `Alice`
    Object id: `<id>` · created 2026-11-20 09:00:00 UTC
    *What happened*
    Breaks the rule `blocked-domain` (high severity)
    Why the rule: organisations under sanctions
    • mail `adele@evil.example` matches `evil.example` in list `blocked`
    • it also breaks `otherwise.guest`: no scenario admits the account; mail `adele@evil.example` is of no partner
    *What was done*
    Disabled the account, and read it back at 2026-11-20 09:10:04 UTC.
    Graph request-id: `<id>`
    *What is left over*
    • access tokens issued before now stay valid for up to about an hour; apps with sessions of their own may keep them longer
    • memberships, app roles and sharing links of the account that were not taken away are still there, and work again if it is enabled
    Undo: `guestlist undo <incident>-1 --reason …`
    Details: `guestlist incidents show <incident>-1`
    incident <incident>-1 · done · mode enforce · tenant <id> · opened 2026-11-20 09:10:00 UTC · seen twice
    ");
}
