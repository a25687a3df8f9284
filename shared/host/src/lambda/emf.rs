//! What a function has counted, as lines of the embedded metric format: CloudWatch makes metrics of a log line
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).
//! The names and labels are those of `/metrics`, but a counter tells what was added since the line before.
//!
//! Never here: what is counted.

use std::collections::BTreeMap;

use jiff::Timestamp;
use prometheus::proto::{Metric, MetricFamily, MetricType};
use serde_json::{Map, Value, json};

/// Counters of which there is one without labels, too, because an alarm looks at all of them together and can search for none. Each
/// costs as much as another metric.
const IN_ALL: [&str; 1] = ["guestlist_notifications_received_total"];

type Labels = Vec<(String, String)>;
/// A metric with its labels, in their order.
type Name = (String, Labels);

/// A metric as a line has it.
struct Measured {
    name: String,
    value: Value,
    unit: &'static str,
}

/// What was told before.
#[derive(Debug)]
pub(super) struct Told {
    namespace: String,
    counters: BTreeMap<Name, f64>,
    /// Up to each bound.
    buckets: BTreeMap<Name, Vec<u64>>,
}

impl Told {
    /// Nothing so far.
    pub(super) fn in_namespace(namespace: String) -> Self {
        Self { namespace, counters: BTreeMap::new(), buckets: BTreeMap::new() }
    }

    /// A line for each set of labels of which there is something new.
    pub(super) fn news(&mut self, families: &[MetricFamily], now: Timestamp) -> Vec<String> {
        let mut by_labels: BTreeMap<Labels, Vec<Measured>> = BTreeMap::new();
        for family in families {
            for metric in family.get_metric() {
                let name = (family.name().to_owned(), labels(metric));
                let unit = if family.name().contains("_seconds") { "Seconds" } else { "Count" };
                let value = match family.get_field_type() {
                    MetricType::COUNTER => self.added(&name, metric.get_counter().get_value()),
                    MetricType::GAUGE => Some(json!(metric.get_gauge().get_value())),
                    MetricType::HISTOGRAM => self.observed(&name, metric),
                    MetricType::SUMMARY | MetricType::UNTYPED => None,
                };
                if let Some(value) = value {
                    let (name, labels) = name;
                    by_labels.entry(labels).or_default().push(Measured { name, value, unit });
                }
            }
        }
        by_labels.iter().map(|(labels, metrics)| line(&self.namespace, labels, metrics, now)).collect()
    }

    fn added(&mut self, name: &Name, now: f64) -> Option<Value> {
        let before = self.counters.insert(name.clone(), now).unwrap_or_default();
        // Counters that are built anew begin from nothing.
        let added = if now < before { now } else { now - before };
        (added > 0.0).then(|| json!(added))
    }

    /// As often as something was seen, with the bound that it was within.
    fn observed(&mut self, name: &Name, metric: &Metric) -> Option<Value> {
        let histogram = metric.get_histogram();
        let bounds: Vec<f64> = histogram.get_bucket().iter().map(|bucket| bucket.upper_bound()).collect();
        // What lies above the last bound is told with it.
        let bounds = || bounds.iter().chain(bounds.last());
        let all = std::iter::once(histogram.get_sample_count());
        let upto: Vec<u64> =
            histogram.get_bucket().iter().map(|bucket| bucket.cumulative_count()).chain(all).collect();
        let before = self.buckets.insert(name.clone(), upto.clone()).unwrap_or_default();
        let before = |n: usize| before.get(n).copied().unwrap_or_default();
        let begun_anew = upto.iter().enumerate().any(|(n, count)| *count < before(n));
        let added = |n: usize, count: u64| if begun_anew { count } else { count.saturating_sub(before(n)) };
        let (mut values, mut counts, mut below) = (Vec::new(), Vec::new(), 0);
        for (n, (bound, count)) in bounds().zip(upto).enumerate() {
            let up_to_this = added(n, count);
            let here = up_to_this.saturating_sub(below);
            below = up_to_this;
            if here > 0 {
                values.push(*bound);
                counts.push(here);
            }
        }
        (!values.is_empty()).then(|| json!({ "Values": values, "Counts": counts }))
    }
}

fn labels(metric: &Metric) -> Labels {
    let label = |pair: &prometheus::proto::LabelPair| (pair.name().to_owned(), pair.value().to_owned());
    metric.get_label().iter().map(label).collect()
}

fn line(namespace: &str, labels: &Labels, metrics: &[Measured], now: Timestamp) -> String {
    let names: Vec<&String> = labels.iter().map(|(name, _)| name).collect();
    let directive = |dimensions: &[&String], metrics: &[&Measured]| {
        let described = |one: &&Measured| json!({ "Name": one.name, "Unit": one.unit });
        let described: Vec<Value> = metrics.iter().map(described).collect();
        json!({ "Namespace": namespace, "Dimensions": [dimensions], "Metrics": described })
    };
    let mut directives = vec![directive(&names, &metrics.iter().collect::<Vec<_>>())];
    let in_all = metrics.iter().filter(|one| !labels.is_empty() && IN_ALL.contains(&one.name.as_str()));
    let in_all: Vec<&Measured> = in_all.collect();
    if !in_all.is_empty() {
        directives.push(directive(&[], &in_all));
    }
    let mut all = Map::new();
    let about = json!({ "Timestamp": now.as_millisecond(), "CloudWatchMetrics": directives });
    all.insert("_aws".to_owned(), about);
    all.extend(labels.iter().map(|(name, value)| (name.clone(), json!(value))));
    all.extend(metrics.iter().map(|one| (one.name.clone(), one.value.clone())));
    Value::Object(all).to_string()
}

#[cfg(test)]
mod tests {
    use prometheus::{Gauge, Histogram, HistogramOpts, IntCounterVec, Opts, Registry};

    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }

    fn parsed(lines: Vec<String>) -> Vec<Value> {
        lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_counter_tells_what_was_added_since_the_line_before() {
        let registry = Registry::new();
        let counter = IntCounterVec::new(Opts::new("refused_total", "x"), &["reason"]).unwrap();
        registry.register(Box::new(counter.clone())).unwrap();
        counter.with_label_values(&["forged"]).inc_by(3);
        counter.with_label_values(&["too-large"]);
        let mut told = Told::in_namespace("Guestlist/test".to_owned());
        let lines = parsed(told.news(&registry.gather(), now()));
        assert_eq!(
            lines,
            [json!({
                "_aws": {
                    "Timestamp": 1_800_000_000_000_i64,
                    "CloudWatchMetrics": [{
                        "Namespace": "Guestlist/test",
                        "Dimensions": [["reason"]],
                        "Metrics": [{ "Name": "refused_total", "Unit": "Count" }]
                    }]
                },
                "reason": "forged",
                "refused_total": 3.0
            })]
        );
        assert_eq!(told.news(&registry.gather(), now()), [] as [String; 0]);
        counter.with_label_values(&["forged"]).inc();
        assert_eq!(parsed(told.news(&registry.gather(), now()))[0]["refused_total"], 1.0);
        counter.reset();
        counter.with_label_values(&["forged"]).inc_by(2);
        assert_eq!(parsed(told.news(&registry.gather(), now()))[0]["refused_total"], 2.0, "built anew");
    }

    /// Several may be told in one invocation: CloudWatch adds them up.
    #[test]
    fn what_an_alarm_looks_at_as_a_whole_is_told_without_labels_too() {
        let registry = Registry::new();
        let counter =
            IntCounterVec::new(Opts::new("guestlist_notifications_received_total", "x"), &["resource"])
                .unwrap();
        registry.register(Box::new(counter.clone())).unwrap();
        counter.with_label_values(&["users"]).inc_by(3);
        counter.with_label_values(&["groups"]).inc();
        let lines = parsed(Told::in_namespace("Guestlist/test".to_owned()).news(&registry.gather(), now()));
        let told: Vec<(&Value, Vec<&Value>)> = lines
            .iter()
            .map(|line| {
                let directives = line["_aws"]["CloudWatchMetrics"].as_array().unwrap();
                assert!(
                    directives
                        .iter()
                        .all(|one| one["Metrics"][0]["Name"] == "guestlist_notifications_received_total")
                );
                (
                    &line["guestlist_notifications_received_total"],
                    directives.iter().map(|one| &one["Dimensions"]).collect(),
                )
            })
            .collect();
        let twice = [&json!([["resource"]]), &json!([[]])];
        assert_eq!(told, [(&json!(1.0), twice.to_vec()), (&json!(3.0), twice.to_vec())]);
    }

    #[test]
    fn a_gauge_tells_its_value_each_time_and_a_histogram_the_bounds_within_which_it_was() {
        let registry = Registry::new();
        let gauge = Gauge::new("breaker_open", "x").unwrap();
        let opts = HistogramOpts::new("after_seconds", "x").buckets(vec![0.1, 1.0, 10.0]);
        let histogram = Histogram::with_opts(opts).unwrap();
        registry.register(Box::new(gauge.clone())).unwrap();
        registry.register(Box::new(histogram.clone())).unwrap();
        gauge.set(1.0);
        for seen in [0.05, 0.5, 0.7] {
            histogram.observe(seen);
        }
        let mut told = Told::in_namespace("Guestlist/test".to_owned());
        let lines = parsed(told.news(&registry.gather(), now()));
        assert_eq!(lines.len(), 1, "both have no labels");
        assert_eq!(lines[0]["breaker_open"], 1.0);
        assert_eq!(lines[0]["after_seconds"], json!({ "Values": [0.1, 1.0], "Counts": [1, 2] }));
        histogram.observe(5.0);
        histogram.observe(500.0);
        let lines = parsed(told.news(&registry.gather(), now()));
        assert_eq!(lines[0]["after_seconds"], json!({ "Values": [10.0, 10.0], "Counts": [1, 1] }));
    }
}
