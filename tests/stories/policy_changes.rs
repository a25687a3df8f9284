//! Policies on live guests: kinds, addresses, protection, exceptions, modes, and a policy file that changes.

use std::sync::Arc;

use guestlist_tests::{Guest, Setup, World};
use host::{Admin, PolicyFile, load_policy};
use insta::assert_snapshot;
use jiff::SignedDuration;
use simulator::NewUser;
use tokio::sync::watch;

use crate::policies::PARTNERS_ONLY;

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Every kind of outsider has a rule of its own.
const BY_KIND: &str = r#"
version: 1
mode: enforce
guardrails:
  - id: no-external-members
    if: { kind: external-member, domain: [evil.example] }
    then: [disable]
  - id: no-local-guests
    if: { kind: local-guest }
    then: [notify]
"#;

/// Touches the guest, so that he is looked at.
async fn touch(world: &mut World, guest: Guest) {
    let noted = world.clock.now().to_string();
    world.tenant.change(guest, |user| user.company_name = Some(noted));
    world.settle().await;
}

fn headline(world: &World) -> String {
    world.slack.next_text().lines().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_rule_for_external_members_leaves_guests_alone() {
    let mut world = World::with_policy(BY_KIND).await;
    let guest = world.tenant.invite("mallory@evil.example");
    let member = world.tenant.invite_as_member("trudy@evil.example");
    world.settle().await;
    world.expect_disabled(member);
    world.expect_untouched(guest);
    assert_snapshot!(headline(&world), @"Disabled external member trudy@evil[.]example: no-external-members (medium)");
}

#[tokio::test]
async fn a_local_guest_is_a_kind_of_his_own_and_notify_only_tells() {
    let mut world = World::with_policy(BY_KIND).await;
    let local = Guest(world.tenant.0.add_user(NewUser::local_guest("vendor@contoso.com")));
    world.settle().await;
    world.expect_untouched(local);
    assert_snapshot!(headline(&world), @"Found local guest vendor: no-local-guests (medium)");
}

#[tokio::test]
async fn scenarios_and_their_otherwise_say_nothing_of_external_members() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let member = world.tenant.invite_as_member("trudy@northwind.example");
    let local = Guest(world.tenant.0.add_user(NewUser::local_guest("vendor@contoso.com")));
    world.settle().await;
    world.expect_untouched(member);
    world.expect_untouched(local);
}

#[tokio::test]
async fn a_guest_who_is_promoted_to_member_is_judged_as_what_he_is_now() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let sam = world.tenant.invite("sam@northwind.example");
    world.settle().await;
    world.expect_disabled(sam);
    world.tenant.0.promote_to_member(sam.0).unwrap();
    world.settle().await;
    assert_eq!(world.incident(sam).await.state.word(), "resolved");
    assert_eq!(world.slack.read_all().len(), 2);
}

#[tokio::test]
async fn guests_who_were_there_before_are_only_observed_until_the_policy_says_otherwise() {
    let existing = format!("{PARTNERS_ONLY}existing: {{ before: 2026-11-22, mode: observe }}\n");
    let mut world = World::with_policy(&existing).await;
    let before = world.tenant.invite("sam@northwind.example");
    let nobody_knows_since_when = world.tenant.invite("kim@northwind.example");
    world.tenant.change(nobody_knows_since_when, |user| user.created_at = None);
    world.settle().await;
    world.expect_untouched(before);
    world.expect_untouched(nobody_knows_since_when);
    let told = world.slack.next_text();
    assert!(told.contains("the account was created before 2026-11-22"), "{told}");
    assert_eq!(world.slack.read_all().len(), 1);
    world.live_on(DAY + DAY).await;
    let after = world.tenant.invite("lee@northwind.example");
    world.settle().await;
    world.expect_disabled(after);
    assert_eq!(world.slack.read_all().len(), 1);
    // And now the policy says otherwise.
    world.change_policy(PARTNERS_ONLY);
    touch(&mut world, before).await;
    world.expect_disabled(before);
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn a_protected_guest_is_told_with_what_a_person_must_do() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let sam = world.tenant.invite("sam@northwind.example");
    world.change_policy(&format!("{PARTNERS_ONLY}protect: {{ users: [{}] }}\n", sam.id()));
    world.settle().await;
    world.expect_untouched(sam);
    assert_snapshot!(world.slack.next_text(), @"
    A person must decide about guest sam@northwind[.]example: otherwise.guest (medium)
    *Who*
    `sam` · guest · account enabled
    Address: `sam@northwind.example`
    Organisation: `northwind.example`
    Sponsor: `Alice`
    Object id: `<id>` · created 2026-11-20 09:00:00 UTC
    *What happened*
    Breaks the rule `otherwise.guest` (medium severity)
    • no scenario admits the account
    • mail `sam@northwind.example` is of no partner
    *What was done*
    Nothing was done: the policy protects this account (`protect.users`): a person must decide.
    *What a person must do*
    Decide, and disable the account by hand if it must be.
    Details: `guestlist incidents show <incident>-1`
    incident <incident>-1 · refused · mode enforce · tenant <id> · opened 2026-11-20 09:00:00 UTC · seen once
    ");
    touch(&mut world, sam).await;
    world.slack.expect_silence();
}

#[tokio::test]
async fn a_guest_with_a_directory_role_is_never_written_to() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let sam = world.tenant.invite("sam@northwind.example");
    world.tenant.0.assign_role(sam.0, "Global Reader").unwrap();
    world.settle().await;
    world.expect_untouched(sam);
    let told = world.slack.next_text();
    assert!(told.contains("the account holds the directory role"), "{told}");
}

#[tokio::test]
async fn an_exception_holds_through_its_last_day_and_no_longer() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let sam = world.tenant.invite("sam@northwind.example");
    let exception = format!(
        "exceptions:\n  - {{ guest: {}, from: [otherwise.guest], until: 2026-11-23, ticket: SEC-1 }}\n",
        sam.id()
    );
    world.change_policy(&format!("{PARTNERS_ONLY}{exception}"));
    world.settle().await;
    world.expect_untouched(sam);
    world.live_on(DAY + DAY + DAY).await;
    touch(&mut world, sam).await;
    assert_eq!(world.clock.now().to_string().get(..10), Some("2026-11-23"));
    world.expect_untouched(sam);
    world.live_on(SignedDuration::from_hours(15)).await;
    touch(&mut world, sam).await;
    assert_eq!(world.clock.now().to_string().get(..10), Some("2026-11-24"));
    world.expect_disabled(sam);
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn an_exception_from_one_rule_leaves_the_others_in_force() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let mallory = world.tenant.invite("mallory@evil.example");
    let exception = format!(
        "exceptions:\n  - {{ guest: {}, from: [blocked-domain], until: 2026-11-23 }}\n",
        mallory.id()
    );
    world.change_policy(&format!("{PARTNERS_ONLY}{exception}"));
    world.settle().await;
    world.expect_disabled(mallory);
    assert_snapshot!(headline(&world), @"Disabled guest mallory@evil[.]example: otherwise.guest (medium)");
}

#[tokio::test]
async fn a_partner_s_end_is_an_end() {
    let policy = PARTNERS_ONLY.replace("2027-06-30", "2026-11-20");
    let mut world = World::with_policy(&policy).await;
    let adele = world.tenant.invite("adele@fabrikam.com");
    world.settle().await;
    world.expect_untouched(adele);
    assert!(world.slack.next_text().contains("`agency-work` admits the guest `adele@fabrikam.com`"));
    world.live_on(DAY).await;
    touch(&mut world, adele).await;
    world.expect_disabled(adele);
    assert!(
        world.slack.next_text().contains("partner `fabrikam` (owner anna@contoso.com) ended on 2026-11-20")
    );
}

#[tokio::test]
async fn every_identity_address_must_be_of_the_partner() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let adele = world.tenant.invite("adele@fabrikam.com");
    world.settle().await;
    world.tenant.change(adele, |user| {
        user.identities.push(simulator::Identity {
            sign_in_type: "emailAddress".to_owned(),
            issuer: "contoso.onmicrosoft.com".to_owned(),
            issuer_assigned_id: Some("adele@northwind.example".to_owned()),
        });
    });
    world.settle().await;
    world.expect_disabled(adele);
    assert!(world.slack.next_text().contains("adele@northwind.example"));
}

#[tokio::test]
async fn a_blocked_domain_among_secondary_addresses_only_tells() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let adele = world.tenant.invite("adele@fabrikam.com");
    world.settle().await;
    world.tenant.change(adele, |user| user.other_mails.push("adele@evil.example".to_owned()));
    world.settle().await;
    world.expect_untouched(adele);
    assert_snapshot!(headline(&world), @"Found guest adele@fabrikam[.]com: blocked-domain (high)");
}

#[tokio::test]
async fn our_own_domains_among_the_addresses_count_for_nothing() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let sam = world.tenant.invite("sam@contoso.com");
    world.settle().await;
    world.expect_untouched(sam);
    assert_snapshot!(headline(&world), @"Could not check guest sam: blocked-domain (high)");
}

#[tokio::test]
async fn an_identity_that_changes_at_redemption_is_judged_by_what_it_is_then() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let mallory = world.tenant.invite("adele@fabrikam.com");
    world.settle().await;
    world.expect_untouched(mallory);
    world.tenant.change(mallory, |user| user.mail = Some("mallory@evil.example".to_owned()));
    world.tenant.redeem(mallory);
    world.settle().await;
    world.expect_disabled(mallory);
    assert_snapshot!(headline(&world), @"Disabled guest mallory@evil[.]example: blocked-domain (high)");
}

#[tokio::test]
async fn a_guest_without_any_address_is_told_and_never_acted_on() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let sam = world.tenant.invite("sam@northwind.example");
    world.tenant.change(sam, |user| {
        user.mail = None;
        user.other_mails.clear();
        user.proxy_addresses.clear();
        user.user_principal_name = "nobody#EXT#@contoso.onmicrosoft.com".to_owned();
        user.identities.iter_mut().for_each(|identity| identity.issuer_assigned_id = None);
    });
    world.clock.advance(SignedDuration::from_secs(5));
    world.settle().await;
    world.expect_untouched(sam);
    assert_snapshot!(headline(&world), @"Could not check guest sam: blocked-domain (high)");
}

#[tokio::test]
async fn a_changed_policy_file_is_taken_when_it_is_valid_and_people_are_told_either_way() {
    let mut world = World::new(Setup::with_policy(PARTNERS_ONLY)).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.yaml");
    std::fs::write(&path, PARTNERS_ONLY).unwrap();
    world.policy.send_replace(Arc::new(load_policy(&path).unwrap()));
    let (current, notices) = (world.policy.clone(), world.parts.notices.clone());
    let in_force = world.parts.in_force.clone();
    let refused = watch::Sender::new(false);
    let mut file =
        PolicyFile { path: path.clone(), current, notices, told: None, refused: refused.clone(), in_force };
    file.look().await.unwrap();
    world.run("alert").await;
    world.slack.expect_silence();
    let is_refused = async |world: &World| {
        let policy_refused = Some(refused.subscribe());
        let admin = Admin { policy_refused, ..world.assembly.admin(&world.parts.meter) };
        world.metric_by(admin, "guestlist_policy_refused").await
    };
    assert_eq!(is_refused(&world).await, Some(0.0));
    // A mistake: the old policy stays, and people are told once where it is.
    std::fs::write(&path, PARTNERS_ONLY.replace("guardrails:", "guardrail:")).unwrap();
    for _ in 0..3 {
        file.look().await.unwrap();
        world.run("alert").await;
    }
    let told = world.slack.next_text();
    assert!(told.contains("guardrail") && told.contains("policy.yaml"), "{told}");
    world.slack.expect_silence();
    assert_eq!(is_refused(&world).await, Some(1.0), "as long as it lasts");
    assert_eq!(
        world.metric("guestlist_policy_refused").await,
        None,
        "who looks at no policy says nothing of it"
    );
    let mallory = world.tenant.invite("mallory@evil.example");
    world.settle().await;
    world.expect_disabled(mallory);
    assert_eq!(world.slack.read_all().len(), 1);
    // Mended, and changed.
    std::fs::write(&path, PARTNERS_ONLY.replace("mode: enforce", "mode: observe")).unwrap();
    file.look().await.unwrap();
    world.run("alert").await;
    assert!(world.slack.next_text().contains("is in force"));
    assert_eq!(is_refused(&world).await, Some(0.0));
    let in_force = world.store.ledger.in_force().await.unwrap().unwrap().value;
    assert!(in_force.policy.starts_with(world.policy.borrow().hash()), "{in_force:?}");
    let sam = world.tenant.invite("sam@northwind.example");
    world.settle().await;
    world.expect_untouched(sam);
    assert_eq!(world.slack.read_all().len(), 1);
}
