//! What people hear of: each alarm has its runbook, looks at something that is told, and says that it is over only where somebody
//! knows; and the dashboard shows what is counted.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::infra::{properties, resources, template};
use crate::{files, read, root};

/// Where metrics are named, each with its help and its labels.
const SOURCES: [&str; 2] = ["shared/responder/src/meter.rs", "shared/host/src/admin/metrics.rs"];
/// As the template names the namespace of this stack.
const OURS: &str = "Guestlist/${AWS::StackName}";

fn of_kind<'a>(template: &'a Value, kind: &str) -> Vec<(&'a str, &'a Value)> {
    let all = resources(template).iter().filter(|(_, one)| one["Type"] == kind);
    all.map(|(name, one)| (name.as_str(), &one["Properties"])).collect()
}

fn alarms(template: &Value) -> Vec<(&str, &Value)> {
    of_kind(template, "AWS::CloudWatch::Alarm")
}

/// The metrics that are made of lines of the log.
fn of_the_log(template: &Value) -> BTreeSet<String> {
    let filters = of_kind(template, "AWS::Logs::MetricFilter").into_iter();
    let made = filters.map(|(_, filter)| &filter["MetricTransformations"][0]);
    made.map(|one| {
        assert_eq!(one["MetricNamespace"], OURS);
        one["MetricName"].as_str().unwrap().to_owned()
    })
    .collect()
}

/// Each metric that the code counts, with its labels: the first list of words between its name and the next one.
fn counted() -> BTreeMap<String, BTreeSet<String>> {
    let mut counted = BTreeMap::new();
    for source in SOURCES {
        let text = read(source);
        for part in text.split("\"guestlist_").skip(1) {
            let name = format!("guestlist_{}", part.split('"').next().unwrap());
            let labels =
                part.split_once("&[\"").and_then(|(_, rest)| rest.split_once(']')).map(|(inside, _)| inside);
            let labels =
                labels.unwrap_or_default().split(',').map(|one| one.trim().trim_matches('"').to_owned());
            counted.insert(name, labels.filter(|one| !one.is_empty()).collect());
        }
    }
    assert!(counted.len() > 20, "{counted:?}");
    counted
}

/// Of which there is one without labels, too.
fn in_all() -> String {
    let text = read("shared/host/src/lambda/emf.rs");
    let (_, rest) =
        text.split_once("const IN_ALL: [&str; 1] = [\"").expect("the counters that are told as a whole");
    rest.split('"').next().unwrap().to_owned()
}

#[test]
fn every_alarm_names_a_runbook_and_every_runbook_is_named() {
    let template = template();
    let mut named: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (name, alarm) in resources(&template) {
        if alarm["Type"] == "AWS::CloudWatch::Alarm" {
            let text = alarm["Properties"]["AlarmDescription"].as_str().unwrap();
            let book = text.split_once("(infra/runbooks/").and_then(|(_, rest)| rest.strip_suffix(".md)"));
            let book = book.unwrap_or_else(|| panic!("the alarm {name} names no runbook: {text}"));
            named.entry(book.to_owned()).or_default().push(name);
        }
    }
    assert!(named.values().map(Vec::len).sum::<usize>() >= 30, "{named:?}");
    let books = files(".md").into_iter().filter(|path| path.starts_with(root().join("infra/runbooks")));
    let books: BTreeSet<String> =
        books.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect();
    assert_eq!(named.keys().cloned().collect::<BTreeSet<_>>(), books);
    for book in books {
        let text = read(format!("infra/runbooks/{book}.md"));
        for part in ["# ", "## What it means", "## What to do"] {
            assert!(text.contains(part), "{book}.md has no `{part}`");
        }
    }
}

#[test]
fn an_alarm_of_ours_looks_at_a_metric_that_is_told_with_these_labels() {
    let template = template();
    let (counted, of_the_log, in_all) = (counted(), of_the_log(&template), in_all());
    let mut seen = BTreeSet::new();
    for (name, alarm) in alarms(&template).into_iter().filter(|(_, alarm)| alarm["Namespace"] == OURS) {
        let metric = alarm["MetricName"].as_str().unwrap();
        seen.insert(metric.to_owned());
        let dimensions = alarm["Dimensions"].as_array().cloned().unwrap_or_default();
        let dimensions: BTreeSet<String> =
            dimensions.iter().map(|one| one["Name"].as_str().unwrap().to_owned()).collect();
        if of_the_log.contains(metric) || metric == in_all {
            assert!(dimensions.is_empty(), "{name}");
        } else {
            assert_eq!(counted.get(metric), Some(&dimensions), "{name} looks at {metric}");
        }
    }
    assert!(seen.is_superset(&of_the_log) && seen.contains(&in_all), "nobody looks at one of them: {seen:?}");
}

/// A line of the log says that something began. That nothing more is said is no end, and must be told to nobody as one.
#[test]
fn the_end_of_a_trouble_is_told_where_somebody_knows_it() {
    let template = template();
    let of_the_log = of_the_log(&template);
    for (name, alarm) in alarms(&template) {
        let is_of_a_line =
            alarm["Namespace"] == OURS && of_the_log.contains(alarm["MetricName"].as_str().unwrap());
        assert!(alarm["AlarmActions"].is_array(), "{name}");
        assert_eq!(alarm["OKActions"].is_array(), !is_of_a_line, "{name}");
        // A gauge that is told no more says nothing about what it was of.
        let is_a_gauge = alarm["Namespace"] == OURS && !is_of_a_line && alarm["Statistic"] == "Maximum";
        assert_eq!(alarm["TreatMissingData"] == "ignore", is_a_gauge, "{name}");
    }
    for name in ["PolicyRefused", "BreakerOpened"] {
        assert!(
            !of_the_log.contains(name) && properties(&template, name)["Statistic"] == "Maximum",
            "{name}"
        );
    }
    // Whoever asks for a page, or scans, is not Microsoft Graph.
    let silent = properties(&template, "NotificationsSilent");
    assert_eq!((&silent["Namespace"], &silent["TreatMissingData"]), (&json!(OURS), &json!("breaching")));
}

#[test]
fn the_dashboard_shows_what_is_counted() {
    let template = template();
    let body = properties(&template, "Dashboard")["DashboardBody"].as_str().unwrap();
    let body: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error} in {body}"));
    let (counted, mut places, mut shown) = (counted(), BTreeSet::new(), BTreeSet::new());
    for widget in body["widgets"].as_array().unwrap() {
        assert!(
            places.insert((widget["x"].as_u64(), widget["y"].as_u64())),
            "two lie in one place: {widget}"
        );
        for metric in widget["properties"]["metrics"].as_array().unwrap() {
            if metric[0] == OURS {
                let name = metric[1].as_str().unwrap();
                let is_told = counted
                    .get(name)
                    .map_or_else(|| of_the_log(&template).contains(name), BTreeSet::is_empty);
                assert!(is_told, "nobody tells `{name}` without labels");
            }
            let Some(search) = metric[0]["expression"].as_str() else { continue };
            let inside = search.strip_prefix("SEARCH('{\"Guestlist/${AWS::StackName}\",").expect(search);
            let (labels, rest) = inside.split_once("} MetricName=\"").expect(search);
            let name = rest.split('"').next().unwrap();
            let labels: BTreeSet<String> = labels.split(',').map(str::to_owned).collect();
            assert_eq!(counted.get(name), Some(&labels), "{search}");
            shown.insert(name.to_owned());
        }
    }
    let flows = [
        "notifications_received_total",
        "notifications_refused_total",
        "assessed_after_seconds",
        "assessed_total",
        "findings_total",
        "step_results_total",
        "deliveries_total",
        "subscription_expires_in_seconds",
    ];
    let missing: Vec<&str> =
        flows.into_iter().filter(|one| !shown.contains(&format!("guestlist_{one}"))).collect();
    assert_eq!(missing, [] as [&str; 0]);
}

/// Each of them costs something every month.
#[test]
fn the_page_says_how_many_alarms_and_filters_there_are() {
    let template = template();
    let (alarms, filters) = (alarms(&template).len(), of_kind(&template, "AWS::Logs::MetricFilter").len());
    let wanted = format!("| {alarms} alarms, 1 dashboard, {filters} filters |");
    assert!(read("infra/aws/README.md").contains(&wanted), "infra/aws/README.md does not say `{wanted}`");
}
