//! What guests write about themselves is shown and never obeyed, and personal data stays out of the logs.

use simulator::contoso;

use crate::process::Process;
use crate::tenant::Tenant;

/// Clears the screen, sets the window's title, colours, turns the line around, and starts lines of its own.
const NAME: &str = "\u{1b}[2J\u{1b}]0;pwned\u{7}\u{9b}31mMallory\u{202e}elpoep\nWRITES  done  low\r\u{2066}x";
const ADDRESS: &str = "mal\u{202e}lory\u{1b}[31m@evil.example";

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_name_never_reaches_the_terminal_as_it_is() {
    let tenant = Tenant::start().await;
    let _serve = tenant.serve().await;
    let named = tenant.invite_as("mallory@evil.example", Some(NAME));
    let addressed = tenant.invite_as(ADDRESS, Some("Trudy"));
    let incident = tenant.until_done(named).await;
    tenant.until("told", || !tenant.incidents_of(addressed).is_empty()).await;
    let (named, addressed) = (named.to_string(), addressed.to_string());
    let commands: [&[&str]; 6] = [
        &["incidents"],
        &["incidents", "show", &incident],
        &["check", &named],
        &["check", &addressed],
        &["check", "--all"],
        &["status"],
    ];
    for arguments in commands {
        // Dropping the tenant looks at everything that was printed.
        let printed = tenant.run(arguments);
        assert!(printed.code == 0 || printed.code == 3, "{printed:?}");
        let lines = printed.stdout.lines();
        assert_eq!(lines.filter(|line| line.starts_with("WRITES")).count(), 0, "a line of the guest's own");
        tenant.json(arguments);
    }
    let shown = tenant.run(&["check", &named]);
    assert!(shown.stdout.contains(r"\u{1b}[2J"), "it is shown, not dropped: {shown:?}");
    let kept = tenant.json(&["check", &named]);
    assert_eq!(kept["subject"]["name"], NAME, "as data it is what it is");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_logs_name_nobody() {
    let tenant = Tenant::start().await;
    let mut serve = Process::serve_with(&tenant, &[("GUESTLIST_LOG", "debug")]);
    tenant.until("subscribed", || tenant.simulator.subscriptions().len() == 2).await;
    let people = [
        ("mallory.quixote@evil.example", "Mallory Quixote"),
        ("adele.vanterpool@fabrikam.com", "Adele Vanterpool"),
    ];
    let guests = people.map(|(address, name)| tenant.invite_as(address, Some(name)));
    let incident = tenant.until_done(guests[0]).await;
    tenant.run(&["undo", &incident, "--force", "--reason", "Quixote is expected"]).expect(0);
    tenant.until("told", || tenant.told_with("Quixote is expected") == 1).await;
    tenant.simulator.tenant().delete_user(guests[1]).unwrap();
    tenant
        .until("looked for", || {
            let looked = |path: &str| path.contains("deletedItems") && path.contains(&guests[1].to_string());
            tenant.simulator.traffic().log.iter().any(|call| looked(&call.path))
        })
        .await;
    assert_eq!(serve.terminate().code(), Some(0));
    let log = serve.log();
    assert!(log.contains(&guests[0].to_string()), "object ids are what a log has");
    for (address, name) in people {
        let words = name.split(' ').chain([address]).chain(address.split('@'));
        for word in words.filter(|word| !["Adele", "Mallory"].contains(word)) {
            assert!(!log.contains(word), "the log says `{word}`");
        }
    }
    let alice = tenant.simulator.tenant().user(contoso::ALICE).unwrap();
    assert!(!log.contains(&alice.user_principal_name));
}
