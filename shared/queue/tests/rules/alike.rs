//! What every backend promises.

use guestlist_queue::{Acked, Collapse, DeadId, Delayed, Hold, Move};

use crate::given::{Given, at, due, expect_bodies, owed};

on_both![
    nothing_comes_before_it_is_due_and_the_longest_due_comes_first,
    one_message_of_a_key_runs_at_a_time_and_the_newest_body_comes_after_it,
    an_older_body_gives_way_to_a_newer_one_that_ran,
    what_yields_gives_way_to_what_waited,
    a_second_look_that_arrives_during_the_first_keeps_its_due_time,
    a_message_whose_lease_ended_is_handed_out_again_and_counted,
    a_stale_receipt_changes_nothing,
    a_receipt_does_not_fit_a_later_message_of_the_same_key,
    who_is_late_but_was_not_replaced_may_still_finish,
    an_extended_lease_ends_later,
    a_message_that_is_given_back_waits_and_its_deliveries_count_on,
    a_rewritten_message_that_is_due_in_weeks_waits_for_them,
    a_buried_message_leaves_room_for_what_arrived_in_the_meantime,
    dead_letters_are_paged_looked_at_dropped_and_replayed,
    a_replayed_letter_begins_anew,
    whatever_a_body_holds_comes_back_as_it_was,
    a_replayed_letter_is_owed_since_it_was,
    what_is_done_is_done_and_what_is_sent_after_it_runs,
    a_wake_brings_back_what_is_lost,
    a_wake_leaves_alone_what_waits_for_its_next_try,
    a_wake_leaves_alone_what_is_being_worked_on,
    a_try_that_was_put_off_for_longer_than_any_is_woken,
];

async fn nothing_comes_before_it_is_due_and_the_longest_due_comes_first(mut given: Given) {
    given.send_all(vec![due("a", "third", 3), due("b", "first", 1), due("c", "second", 2)]).await;
    expect_bodies(&given.claim(0).await, &[]);
    expect_bodies(&given.claim(2).await, &["first", "second"]);
    expect_bodies(&given.claim(9).await, &["third"]);
}

async fn one_message_of_a_key_runs_at_a_time_and_the_newest_body_comes_after_it(mut given: Given) {
    given.send("a", "first", 0).await;
    let first = given.claim_one(0).await;
    given.turn_clock(1);
    given.send("a", "second", 1).await;
    expect_bodies(&given.claim(3).await, &[]);
    given.ack(&first).await;
    let second = given.claim_one(30).await;
    assert_eq!((second.body.as_str(), second.deliveries, second.owed_since), ("second", 1, at(1)));
    assert_eq!(given.ack(&second).await, Acked::Gone);
    assert!(given.is_drained(99).await);
}

async fn an_older_body_gives_way_to_a_newer_one_that_ran(mut given: Given) {
    given.send("a", "older", 5).await;
    given.send("a", "newer", 0).await;
    let newer = given.claim_one(10).await;
    assert_eq!(newer.body, "newer");
    given.ack(&newer).await;
    expect_bodies(&given.claim(40).await, &[]);
    assert!(given.is_drained(99).await);
}

async fn what_yields_gives_way_to_what_waited(mut given: Given) {
    given.send("a", "waits", 5).await;
    given.send_all(vec![Move { collapse: Collapse::Yields, ..due("a", "yields", 6) }]).await;
    let waited = given.claim_one(10).await;
    assert_eq!(waited.body, "waits");
    given.ack(&waited).await;
    expect_bodies(&given.claim(40).await, &[]);
    assert!(given.is_drained(99).await);
}

async fn a_second_look_that_arrives_during_the_first_keeps_its_due_time(mut given: Given) {
    given.send("a", "first look", 0).await;
    let first = given.claim_one(0).await;
    given.send_all(vec![owed("a", "second look", 300)]).await;
    given.ack(&first).await;
    expect_bodies(&given.claim(299).await, &[]);
    expect_bodies(&given.claim(300).await, &["second look"]);
}

async fn a_message_whose_lease_ended_is_handed_out_again_and_counted(mut given: Given) {
    given.send("a", "work", 0).await;
    let first = given.claim_one(0).await;
    expect_bodies(&given.claim(29).await, &[]);
    let second = given.claim_one(30).await;
    assert_eq!((second.body.as_str(), first.deliveries, second.deliveries), ("work", 1, 2));
    assert_eq!(given.ack(&second).await, Acked::Gone);
    assert!(given.is_drained(99).await);
}

async fn a_stale_receipt_changes_nothing(mut given: Given) {
    given.send("a", "work", 0).await;
    let stale = given.claim_one(0).await;
    let holder = given.claim_one(30).await;
    assert_eq!(given.ack(&stale).await, Acked::LeaseLost);
    assert_eq!(given.delay(&stale, 99, Some("forged")).await, Delayed::LeaseLost);
    assert_eq!(given.delay(&stale, 99, None).await, Delayed::LeaseLost);
    assert_eq!(given.extend(&stale, 99).await, Hold::Lost);
    assert_eq!(given.bury(&stale, "no reason", 31).await, Hold::Lost);
    assert_eq!(given.ack(&holder).await, Acked::Gone);
    assert_eq!(given.queue.ack(&holder).await.unwrap(), Acked::LeaseLost, "settled once is settled");
    expect_bodies(&given.claim(99).await, &[]);
    assert_eq!(given.dead().await, []);
}

async fn a_receipt_does_not_fit_a_later_message_of_the_same_key(mut given: Given) {
    given.send("a", "first", 0).await;
    let first = given.claim_one(0).await;
    given.ack(&first).await;
    given.turn_clock(1);
    given.send("a", "second", 1).await;
    let second = given.claim_one(1).await;
    assert_ne!(first.receipt, second.receipt);
    assert_eq!(given.queue.ack(&first).await.unwrap(), Acked::LeaseLost);
    assert_eq!(given.ack(&second).await, Acked::Gone);
}

async fn who_is_late_but_was_not_replaced_may_still_finish(mut given: Given) {
    given.send("a", "slow", 0).await;
    let slow = given.claim_one(0).await;
    given.turn_clock(60);
    assert_eq!(given.ack(&slow).await, Acked::Gone);
    assert!(given.is_drained(99).await);
}

async fn an_extended_lease_ends_later(mut given: Given) {
    given.send("a", "long", 0).await;
    let long = given.claim_one(0).await;
    assert_eq!(given.extend(&long, 90).await, Hold::Kept);
    expect_bodies(&given.claim(89).await, &[]);
    expect_bodies(&given.claim(90).await, &["long"]);
}

async fn a_message_that_is_given_back_waits_and_its_deliveries_count_on(mut given: Given) {
    given.send("a", "work", 0).await;
    let first = given.claim_one(0).await;
    assert_eq!(given.delay(&first, 10, None).await, Delayed::Same);
    expect_bodies(&given.claim(9).await, &[]);
    let second = given.claim_one(10).await;
    assert_eq!((second.body.as_str(), second.deliveries, second.owed_since), ("work", 2, at(0)));
    assert_eq!(given.delay(&second, 20, Some("rewritten")).await, Delayed::Anew);
    expect_bodies(&given.claim(19).await, &[]);
    let third = given.claim_one(20).await;
    assert_eq!((third.body.as_str(), third.deliveries, third.owed_since), ("rewritten", 1, at(0)));
    given.ack(&third).await;
    assert!(given.is_drained(99).await);
}

async fn a_rewritten_message_that_is_due_in_weeks_waits_for_them(mut given: Given) {
    const WEEKS: i64 = 3 * 7 * 86_400;
    given.send("a", "work", 0).await;
    let first = given.claim_one(0).await;
    assert_eq!(given.delay(&first, WEEKS, Some("later")).await, Delayed::Anew);
    for second in [10, WEEKS - 600, WEEKS - 1] {
        given.move_later(second).await;
        expect_bodies(&given.claim(second).await, &[]);
    }
    given.move_later(WEEKS).await;
    let later = given.claim_one(WEEKS).await;
    assert_eq!((later.body.as_str(), later.owed_since), ("later", at(0)));
}

async fn a_buried_message_leaves_room_for_what_arrived_in_the_meantime(mut given: Given) {
    given.send("a", "poison", 0).await;
    let poison = given.claim_one(0).await;
    given.turn_clock(1);
    given.send("a", "fresh", 1).await;
    assert_eq!(given.bury(&poison, "it cannot be read", 2).await, Hold::Kept);
    expect_bodies(&given.claim(2).await, &["fresh"]);
    let dead = given.dead().await;
    assert_eq!(dead.len(), 1);
    assert_eq!(
        (
            dead[0].key.as_str(),
            dead[0].body.as_str(),
            dead[0].why.as_str(),
            dead[0].deliveries,
            dead[0].buried_at
        ),
        ("a", "poison", "it cannot be read", 1, at(2))
    );
}

async fn dead_letters_are_paged_looked_at_dropped_and_replayed(mut given: Given) {
    for n in 0..5 {
        given.bury_new(&format!("key {n}"), &format!("body {n}"), n).await;
    }
    let page = given.queue.dead(None, 2).await.unwrap();
    let rest = given.queue.dead(Some(page[1].id.clone()), 10).await.unwrap();
    assert_eq!(
        page.iter().chain(&rest).map(|dead| dead.body.as_str()).collect::<Vec<_>>(),
        ["body 0", "body 1", "body 2", "body 3", "body 4"]
    );
    let id: DeadId = page[0].id.to_string().parse().unwrap();
    assert_eq!(given.queue.dead_one(&id).await.unwrap().unwrap().key, "key 0");
    assert!(given.queue.replay(&id, at(9)).await.unwrap());
    assert!(!given.queue.replay(&id, at(9)).await.unwrap(), "it is there only once");
    expect_bodies(&given.claim(9).await, &["body 0"]);
    assert!(given.queue.drop_dead(&page[1].id).await.unwrap());
    assert!(!given.queue.drop_dead(&page[1].id).await.unwrap());
    let left: Vec<_> = given.dead().await.into_iter().map(|dead| dead.body).collect();
    assert_eq!(left, ["body 2", "body 3", "body 4"]);
    // An id of the other kind names nothing.
    for id in ["77", "0f8fad5b-d9cb-469f-a165-70867728950e"] {
        let id: DeadId = id.parse().unwrap();
        assert_eq!(given.queue.dead_one(&id).await.unwrap(), None);
        assert!(!given.queue.replay(&id, at(9)).await.unwrap());
        assert!(!given.queue.drop_dead(&id).await.unwrap());
    }
}

async fn a_replayed_letter_begins_anew(mut given: Given) {
    given.send("a", "poison", 0).await;
    let first = given.claim_one(0).await;
    given.delay(&first, 1, None).await;
    let second = given.claim_one(1).await;
    given.bury(&second, "no use", 1).await;
    let dead = given.dead().await.remove(0);
    assert_eq!(dead.deliveries, 2);
    given.turn_clock(50);
    assert!(given.queue.replay(&dead.id, at(50)).await.unwrap());
    let again = given.claim_one(50).await;
    assert_eq!((again.body.as_str(), again.deliveries), ("poison", 1));
    given.ack(&again).await;
    assert!(given.is_drained(99).await);
}

async fn a_replayed_letter_is_owed_since_it_was(mut given: Given) {
    given.send_all(vec![Move { owed_since: at(-700), ..due("a", "work", 0) }]).await;
    let claimed = given.claim_one(0).await;
    given.bury(&claimed, "no use", 1).await;
    let dead = given.dead().await.remove(0);
    assert_eq!(dead.owed_since, Some(at(-700)));
    given.turn_clock(50);
    assert!(given.queue.replay(&dead.id, at(50)).await.unwrap());
    assert_eq!(given.claim_one(50).await.owed_since, at(-700));
}

/// Sent again and again, in case that nothing lies there any more.
fn wake(key: &str, body: &str, second: i64) -> Move {
    Move { collapse: Collapse::Wakes, ..due(key, body, second) }
}

async fn a_wake_brings_back_what_is_lost(mut given: Given) {
    for second in [0, 100] {
        given.turn_clock(second);
        given.send_all(vec![wake("a", "work", second)]).await;
        let woken = given.claim_one(second).await;
        assert_eq!((woken.body.as_str(), woken.deliveries, woken.owed_since), ("work", 1, at(second)));
        given.ack(&woken).await;
    }
    assert!(given.is_drained(199).await);
}

async fn a_wake_leaves_alone_what_waits_for_its_next_try(mut given: Given) {
    given.send("a", "work", 0).await;
    let failed = given.claim_one(0).await;
    assert_eq!(given.delay(&failed, 1_800, None).await, Delayed::Same);
    for second in [10, 900, 1_700] {
        given.turn_clock(second);
        given.send_all(vec![wake("a", "work", second)]).await;
        expect_bodies(&given.claim(second).await, &[]);
    }
    let again = given.claim_one(1_800).await;
    assert_eq!((again.body.as_str(), again.deliveries, again.owed_since), ("work", 2, at(0)));
    // Somebody has acted: that waits for nobody's next try.
    assert_eq!(given.delay(&again, 3_600, None).await, Delayed::Same);
    given.turn_clock(1_900);
    given.send("a", "approved", 1_900).await;
    expect_bodies(&given.claim(1_900).await, &["approved"]);
}

async fn a_wake_leaves_alone_what_is_being_worked_on(mut given: Given) {
    given.send("a", "work", 0).await;
    let first = given.claim_one(0).await;
    given.turn_clock(5);
    given.send_all(vec![wake("a", "woken", 5)]).await;
    expect_bodies(&given.claim(10).await, &[]);
    assert_eq!(given.ack(&first).await, Acked::Gone);
    expect_bodies(&given.claim(40).await, &[]);
    assert!(given.is_drained(99).await);
}

/// Whoever put it off had a clock that was ahead.
async fn a_try_that_was_put_off_for_longer_than_any_is_woken(mut given: Given) {
    given.send("a", "work", 0).await;
    let failed = given.claim_one(0).await;
    assert_eq!(given.delay(&failed, 3 * 3_600, None).await, Delayed::Same);
    given.turn_clock(10);
    given.send_all(vec![wake("a", "work", 10)]).await;
    expect_bodies(&given.claim(10).await, &["work"]);
}

async fn whatever_a_body_holds_comes_back_as_it_was(mut given: Given) {
    for (second, body) in
        ["\0\u{1}\u{1f}", "\u{fffe}\u{ffff}\u{fdd0}\u{10ffff}", "\"\\{}<&>", "", "naïve ✉ 🦀"]
            .into_iter()
            .enumerate()
    {
        let second = 100 * i64::try_from(second).unwrap();
        given.turn_clock(second);
        given.send(body, body, second).await;
        let claimed = given.claim_one(second).await;
        assert_eq!((claimed.key.as_str(), claimed.body.as_str()), (body, body));
        given.bury(&claimed, body, second).await;
        let dead = given.dead().await.remove(0);
        assert_eq!((dead.key.as_str(), dead.body.as_str()), (body, body));
        assert!(given.queue.drop_dead(&dead.id).await.unwrap());
    }
}

async fn what_is_done_is_done_and_what_is_sent_after_it_runs(mut given: Given) {
    for second in [0, 1, 10] {
        given.turn_clock(second);
        given.send("a", "the same", second).await;
        let claimed = given.claim_one(second).await;
        assert_eq!(given.ack(&claimed).await, Acked::Gone);
    }
    assert!(given.is_drained(10).await);
}
