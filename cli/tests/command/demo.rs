//! `guestlist demo`: the story ends as it should, and its record can be read.

use std::process::Stdio;

use insta::assert_snapshot;
use serde_json::Value;

use crate::tenant::{POLICY, Printed, command, run};

/// The lines of the story without their last column, the milliseconds.
fn story(printed: &Printed) -> String {
    let lines = printed.stdout.lines().take_while(|line| !line.is_empty());
    let lines = lines.map(|line| line.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end());
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn every_act_of_the_demo_ends_as_it_should_and_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let record = folder.path().join("record.jsonl");
    let printed = run(&["demo", "--once", "--record", record.to_str().unwrap()]);
    printed.expect(0);
    assert_eq!(printed.stderr.lines().count(), 1, "no log within the story: {printed:?}");
    assert_snapshot!(story(&printed), @"
    WHAT HAPPENED                                                     VERDICT                                    WHAT WAS DONE                MS
    alice invites adele@fabrikam.com, of a partner                    no objection                               nothing
    adele accepts                                                     no objection                               nothing
    alice invites lee@sales.fabrikam.com, a subdomain of the partner  no objection                               nothing
    bob, a member, changes his job title                              no objection                               nothing
    alice invites mallory@evil.example, a blocked domain              breaks blocked-domain, otherwise.guest     disabled, read back
    alice invites eve@notfabrikam.com, an evil twin of the partner    breaks otherwise.guest                     disabled, read back
    alice invites ivan@fаbrikam.com, with a Cyrillic а                breaks otherwise.guest                     disabled, read back
    alice invites trudy@FABRIKAM.COM.evil.example                     breaks blocked-domain, otherwise.guest     disabled, read back
    alice invites dana@fabrikam.com, of a partner                     no objection                               nothing
    dana's mail becomes dana@evil.example                             breaks blocked-domain, otherwise.guest     disabled, read back
    alice invites kim@fabrikam.com, of a partner                      no objection                               nothing
    kim adds a private address at evil.example                        breaks blocked-domain                      told
    an administrator makes visitor@contoso.com, a local guest         breaks local-guests                        told
    alice invites olga@fabrikam.com, of a partner                     no objection                               nothing
    olga, now a User Administrator, is moved to evil.example          breaks blocked-domain, otherwise.guest     refused: protected
    mallory posts a notification of her own making                    not from Microsoft Graph                   dropped, counted
    alice invites nina@northwind.example, of nobody's partner         breaks otherwise.guest                     disabled, read back
    carol says: guestlist undo, she is expected                       otherwise.guest is suspended               enabled again
    nina accepts, and stays                                           otherwise.guest is suspended               enabled again
    adele joins Marketing, an open group of her scenario              no objection                               nothing
    alice makes adele an owner of Marketing                           breaks guests-own-nothing                  dropped, read back
    adele joins the Book Club, which no scenario covers               breaks otherwise.membership                taken out, read back
    finance's rule takes adele into Finance Readers, a dynamic group  breaks closed-groups                       for a person to do
    alice invites max@fabrikam.com, of a partner                      no objection                               nothing
    adele and max join Board Papers, of their scenario                no objection                               nothing
    Board Papers is labelled Confidential, with both in it            breaks closed-groups                       2 taken out, read back
    max joins Quarterly Numbers, of his scenario                      no objection                               nothing
    Quarterly Numbers is renamed to Finance Numbers                   breaks closed-groups                       taken out, read back
    adele joins Finance EU, a closed group                            breaks closed-groups, otherwise.membership taken out, read back
    carol says: guestlist undo, she closes the books with us          closed-groups is suspended                 a member again
    adele's job title changes, and she stays in Finance EU            closed-groups is suspended                 a member again
    adele joins Project Falcon: its rule asks first                   breaks project-groups                      waits for approval
    adele joins Project Osprey: its rule asks first                   breaks project-groups                      waits for approval
    carol says: guestlist approve, she is not on Falcon               breaks project-groups                      taken out, read back
    carol says: guestlist reject, she works on Osprey                 project-groups is suspended                rejected, stays as it was
    adele's department changes, and nobody asks again                 project-groups is suspended                rejected, stays as it was
    five guests of a year ago change their mail at once               breaks otherwise.guest: the breaker opens  3 disabled, 2 wait
    security is told once, at the highest severity                    the breaker is open                        everything asks first
    carol says: guestlist approve, of one that waits                  breaks otherwise.guest                     disabled, read back
    carol says: guestlist breaker reset, a merger                     the breaker is closed                      1 goes on waiting
    carol says: guestlist reject, of the other                        otherwise.guest is suspended               rejected, stays as it was
    ");
    assert!(printed.stdout.contains("\n41 of 41 acts ended as they should, in "), "{printed:?}");
    assert!(printed.stdout.contains("│ Undo: `guestlist undo "), "{printed:?}");
    let record = std::fs::read_to_string(record).unwrap();
    let exchanges: Vec<Value> = record.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(exchanges.len() > 50, "{}", exchanges.len());
    for secret in [simulator::contoso::READER_SECRET, simulator::contoso::WRITER_SECRET] {
        assert!(!record.contains(secret));
    }
}

#[test]
fn the_demo_plays_the_same_story_under_a_policy_of_ones_own() {
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("mine.yaml");
    let mine = "version: 1\nmode: enforce\nguardrails:\n  - id: no-evil\n    if: { domain: [evil.example] }\n    then: [disable]\n";
    std::fs::write(&policy, mine).unwrap();
    let printed = run(&["demo", "--once", "--policy", policy.to_str().unwrap()]);
    printed.expect(0);
    let evil = printed.stdout.lines().find(|line| line.contains("mallory@evil.example")).unwrap();
    assert!(evil.contains("breaks no-evil") && evil.contains("disabled, read back"), "{evil}");
    let twin = printed.stdout.lines().find(|line| line.contains("notfabrikam.com")).unwrap();
    assert!(twin.contains("no objection"), "{twin}");
    assert!(printed.stdout.contains("acts under your policy, in "), "{printed:?}");
}

#[test]
fn the_demo_tells_what_is_wrong_with_a_policy_of_ones_own() {
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("mine.yaml");
    std::fs::write(&policy, POLICY.replace("agency-work", "agency work")).unwrap();
    let printed = run(&["demo", "--once", "--policy", policy.to_str().unwrap()]);
    printed.expect(2);
    assert!(printed.stderr.contains("mine.yaml:"), "{printed:?}");
    assert_eq!(printed.stdout, "");
    run(&["demo", "--once", "--policy", "not-there.yaml"]).expect(2);
}

#[test]
fn the_demo_as_json_is_one_value() {
    let printed = run(&["demo", "--once", "--output", "json"]);
    let played: Value = serde_json::from_str(&printed.expect(0).stdout).unwrap();
    assert_eq!(played["as_expected"], true);
    assert_eq!(played["acts"].as_array().unwrap().len(), 41);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_stays_for_experiments_and_what_it_proposes_works() {
    use std::io::{BufRead as _, BufReader};
    let mut demo = command(&["demo"]);
    let mut demo = demo.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(demo.stderr.take().unwrap()).lines();
    let mut proposed = Vec::new();
    for line in lines {
        proposed.push(line.unwrap());
        if proposed.last().unwrap().contains(" incidents") {
            break;
        }
    }
    let find = |text: &str| proposed.iter().find(|line| line.contains(text)).unwrap().trim().to_owned();
    let (curl, body, look) = (find("curl -s "), find("-d '"), find(" incidents"));
    assert!(look.ends_with(" cargo run --bin guestlist -- incidents"), "{look}");
    let url = curl.split_whitespace().find(|word| word.starts_with("http")).unwrap();
    let body = body.strip_prefix("-d '").unwrap().strip_suffix('\'').unwrap().to_owned();
    let call = wire::Call::post(url.parse().unwrap(), body);
    let call = call.header(http::header::CONTENT_TYPE, "application/json");
    let reply = wire::Wire::network().unwrap().send(call).await.unwrap();
    assert_eq!(reply.status.as_u16(), 200, "{reply:?}");
    let mut settings: Vec<(&str, &str)> = look.split(' ').filter_map(|word| word.split_once('=')).collect();
    settings.push(("NO_COLOR", "1"));
    let began = std::time::Instant::now();
    loop {
        let found = command(&["incidents"]).envs(settings.clone()).output().unwrap();
        let found = String::from_utf8(found.stdout).unwrap();
        if found.lines().any(|line| line.contains("eve@evil.example") && line.contains("  done ")) {
            break;
        }
        assert!(began.elapsed().as_secs() < 30, "{found}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let pid = demo.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert_eq!(demo.wait().unwrap().code(), Some(0));
}
