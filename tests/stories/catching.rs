//! Guests are caught, partners are left alone, and what people are told is true.

use guestlist_tests::World;
use insta::assert_snapshot;

use crate::policies::PARTNERS_ONLY;

#[tokio::test]
async fn guest_from_a_blocked_domain_is_disabled_and_the_team_is_told() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let mallory = world.tenant.invite("mallory@evil.example");
    world.settle().await;
    world.expect_disabled(mallory);
    assert_snapshot!(world.slack.next_text(), @"");
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
