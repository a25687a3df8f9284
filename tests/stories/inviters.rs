//! Who invited a guest: learnt from the directory audit, which is late; kept for life; and no sponsor proves it.

use guestlist_tests::{Guest, World};
use jiff::SignedDuration;
use simulator::{Invite, Kind, contoso};

use crate::policies::closing;

const GUESTS_DO_NOT_INVITE: &str = "{ inviter: { kind: [guest, external-member] } }";

fn policy() -> String {
    closing(GUESTS_DO_NOT_INVITE, "disable")
}

/// A guest, and somebody whom he has invited.
async fn invited_by_a_guest(world: &mut World) -> (Guest, Guest) {
    let adele = world.tenant.invite("adele@fabrikam.com");
    world.settle().await;
    world.expect_untouched(adele);
    world.clock.advance(SignedDuration::from_hours(1));
    let invite = Invite::new("friend@fabrikam.com", adele.0);
    (adele, Guest(world.tenant.0.invite(invite)))
}

#[tokio::test]
async fn whom_a_guest_invited_is_caught_as_soon_as_the_audit_says_so() {
    let mut world = World::with_policy(&policy()).await;
    world.simulator.set_faults(|faults| faults.audit_lag = SignedDuration::from_mins(3));
    let (adele, friend) = invited_by_a_guest(&mut world).await;
    world.settle_for(SignedDuration::from_mins(2)).await;
    world.expect_untouched(friend);
    world.slack.expect_silence();
    world.settle().await;
    world.expect_disabled(friend);
    assert!(world.tenant.is_enabled(adele), "he was invited by one of our own");
    let told = world.slack.texts();
    assert_eq!(told.len(), 1, "nobody hears that it is not known yet: {told:#?}");
    assert!(told[0].contains("adele@fabrikam.com"), "{}", told[0]);
}

#[tokio::test]
async fn who_invited_is_known_for_life() {
    let observing = policy().replace("mode: enforce", "mode: observe");
    let mut world = World::with_policy(&observing).await;
    let (adele, friend) = invited_by_a_guest(&mut world).await;
    world.settle().await;
    world.expect_untouched(friend);
    world.slack.texts();
    // He is a member by now, and the audit has forgotten.
    world.tenant.change(adele, |user| user.mail = Some("adele@contoso.com".to_owned()));
    world.live_on(SignedDuration::from_hours(24 * 45)).await;
    world.change_policy(&policy());
    world.tenant.stir(friend);
    world.settle().await;
    world.expect_disabled(friend);
    world.slack.texts();
}

#[tokio::test]
async fn a_sponsor_is_a_hint_that_is_told_and_not_acted_on() {
    let mut world = World::with_policy(&policy()).await;
    let adele = world.tenant.invite("adele@fabrikam.com");
    world.settle().await;
    let old = world.guest_of_old("old@fabrikam.com");
    world.unnoticed(|tenant| {
        tenant.0.set(old.0, |user| user.sponsors = vec![adele.0]).unwrap();
    });
    world.clock.advance(SignedDuration::from_mins(1));
    world.tenant.stir(old);
    world.settle().await;
    world.expect_untouched(old);
    let told = world.slack.texts().join("\n");
    assert!(told.contains("sponsor"), "{told}");
}

#[tokio::test]
async fn without_the_permission_people_are_told_what_to_grant() {
    let mut world = World::with_policy(&policy()).await;
    let reader = contoso::reader();
    let roles: Vec<&str> =
        reader.roles.iter().map(String::as_str).filter(|role| *role != "AuditLog.Read.All").collect();
    assert!(world.simulator.grant(reader.client_id, &roles));
    world.simulator.revoke_tokens();
    let sam = world.tenant.invite("sam@fabrikam.com");
    world.settle().await;
    world.expect_untouched(sam);
    let told = world.slack.texts().join("\n");
    assert!(told.contains("grant it `AuditLog.Read.All`"), "{told}");
}

/// Graph takes five requests for the audit in ten seconds.
#[tokio::test]
async fn a_burst_of_invitations_asks_the_audit_no_faster_than_graph_takes_it() {
    let mut world = World::with_policy(&policy()).await;
    for n in 0..20 {
        let _guest = world.tenant.invite(&format!("g{n}@fabrikam.com"));
    }
    let moments = world.moments_of("GET", "/auditLogs/directoryAudits", SignedDuration::from_mins(20)).await;
    assert_eq!(moments.len(), 20, "each is asked for once");
    for first in &moments {
        let within = moments.iter().filter(|at| (*first..first + 10).contains(at)).count();
        assert!(within <= 5, "{moments:?}");
    }
    world.slack.texts();
}

/// A listing meets two hundred guests whose inviter has to be learnt, and each is read again when his turn has come.
#[tokio::test]
async fn whoever_waits_for_a_turn_at_the_audit_is_read_again_once_and_not_each_time_that_another_has_it() {
    let mut world = World::with_policy(&policy()).await;
    for n in 0..200 {
        let _guest = world.guest_today(&format!("g{n}@fabrikam.com"));
    }
    world.clock.advance(SignedDuration::from_hours(1));
    world.simulator.reset_traffic();
    for _ in 0..15 {
        world.reconcile().await;
        world.settle_for(SignedDuration::from_mins(1)).await;
    }
    let asked = |kind: &'static str| world.simulator.traffic().kinds.get(&("GET", kind)).copied();
    let of = |kind| asked(kind).unwrap_or_default();
    let (users, audits): (Kind, Kind) = (of("users/{}"), of("auditLogs/directoryAudits"));
    assert_eq!(audits.requests, 200);
    // Once for himself, once more in his turn, and once for who invited him.
    assert!(users.requests <= 600, "{users:?}");
    assert_eq!((users.of_low_priority, audits.of_low_priority), (users.requests, 200), "a listing can wait");
}

#[tokio::test]
async fn whom_somebody_invites_while_a_listing_waits_for_the_audit_has_his_turn_before_it() {
    let mut world = World::with_policy(&policy()).await;
    let adele = world.tenant.invite("adele@fabrikam.com");
    world.settle().await;
    for n in 0..500 {
        let _guest = world.guest_today(&format!("g{n}@fabrikam.com"));
    }
    world.clock.advance(SignedDuration::from_hours(1));
    for _ in 0..8 {
        world.reconcile().await;
        world.settle_for(SignedDuration::from_secs(15)).await;
    }
    let friend = Guest(world.tenant.0.invite(Invite::new("friend@fabrikam.com", adele.0)));
    world.settle_for(SignedDuration::from_secs(30)).await;
    world.expect_disabled(friend);
    world.slack.texts();
}

/// The audit never tells of those, and two of them have to wait for their turn.
#[tokio::test]
async fn whoever_waits_for_a_turn_at_the_audit_has_resolved_nothing() {
    let mut world = World::with_policy(&policy()).await;
    let adele = world.tenant.invite("adele@fabrikam.com");
    world.settle().await;
    world.simulator.set_faults(|faults| faults.audit_lag = SignedDuration::from_hours(24 * 40));
    let invite = |n| Guest(world.tenant.0.invite(Invite::new(&format!("f{n}@fabrikam.com"), adele.0)));
    let friends: Vec<Guest> = (0..7).map(invite).collect();
    world.settle_for(SignedDuration::from_hours(1)).await;
    assert!(!world.slack.texts().is_empty());
    world.clock.advance(SignedDuration::from_hours(7));
    for friend in &friends {
        world.tenant.stir(*friend);
    }
    world.settle_for(SignedDuration::from_hours(1)).await;
    world.slack.expect_silence();
    for friend in &friends {
        let incident = world.incident(*friend).await;
        assert!(!incident.state.is_closed(), "{:?}", incident.state);
        assert_eq!(incident.id.generation, 1);
    }
}

/// Two guests of the same second, whose stay ends in the same second.
#[tokio::test]
async fn each_end_of_a_stay_is_told_with_the_name_of_the_guest() {
    let policy = "version: 1\nmode: enforce\nscenarios:\n  - id: visitors\n    owner: anna@contoso.com\n    admits: { \
                  kind: [guest] }\n    stay: 10d\n    notice: 5d\notherwise:\n  guest: { severity: medium, then: [disable] \
                  }\n";
    let mut world = World::with_policy(policy).await;
    let (_ann, _ben) = (world.tenant.invite("ann@fabrikam.com"), world.tenant.invite("ben@fabrikam.com"));
    world.live_on(SignedDuration::from_hours(24 * 6)).await;
    let told = world.slack.texts();
    assert_eq!(told.len(), 2, "{told:#?}");
    for name in ["ann@", "ben@"] {
        assert!(told.iter().any(|text| text.contains(name)), "{told:#?}");
    }
    assert!(!told.iter().any(|text| text.contains("whoever has the same end")), "{told:#?}");
}

#[tokio::test]
async fn the_end_of_a_stay_is_told_before_it_comes_and_acted_on_when_it_has_come() {
    let policy = "version: 1\nmode: enforce\npartners:\n  fabrikam: { domains: [fabrikam.com] }\nscenarios:\n  \
                  - id: agency-work\n    admits: { partners: [fabrikam] }\n    stay: 30d\n    notice: 14d\notherwise:\n  \
                  guest: { then: [disable] }\n";
    let mut world = World::with_policy(policy).await;
    let adele = world.tenant.invite("adele@fabrikam.com");
    world.settle().await;
    world.live_on(SignedDuration::from_hours(24 * 15)).await;
    world.slack.expect_silence();
    world.live_on(SignedDuration::from_hours(24 * 2)).await;
    let told = world.slack.texts();
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].contains("admission ends soon") && told[0].contains("agency-work"), "{}", told[0]);
    world.live_on(SignedDuration::from_hours(24 * 12)).await;
    world.tenant.stir(adele);
    world.settle().await;
    world.expect_untouched(adele);
    world.slack.expect_silence();
    world.live_on(SignedDuration::from_hours(24 * 2)).await;
    world.expect_disabled(adele);
    world.slack.texts();
}

/// The sponsors are a hint, and the audit is asked again when its row may have come.
#[tokio::test]
async fn a_row_that_comes_after_forty_minutes_is_learnt_although_nothing_changes() {
    let mut world = World::with_policy(&policy()).await;
    world.simulator.set_faults(|faults| faults.audit_lag = SignedDuration::from_mins(40));
    let adele = world.tenant.invite("adele@fabrikam.com");
    world.settle().await;
    world.clock.advance(SignedDuration::from_hours(1));
    let friend = Guest(world.tenant.0.invite(Invite::new("friend@fabrikam.com", adele.0)));
    world.settle_for(SignedDuration::from_hours(2)).await;
    world.expect_disabled(friend);
    world.slack.texts();
}

#[tokio::test]
async fn what_is_kept_of_an_invitation_goes_with_the_guest() {
    let mut world = World::with_policy(&policy()).await;
    let adele = world.tenant.invite("adele@fabrikam.com");
    world.settle().await;
    let kept = async |world: &World| {
        responder::proven_inviter(&world.store.ledger, adele.id()).await.unwrap().is_some()
    };
    assert!(kept(&world).await);
    world.tenant.0.delete_user(adele.0).unwrap();
    world.settle().await;
    assert!(kept(&world).await, "he may be restored");
    world.tenant.0.purge_user(adele.0).unwrap();
    world.settle().await;
    assert!(!kept(&world).await);
    world.slack.texts();
}
