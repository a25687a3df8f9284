//! What a function has counted, as lines of the embedded metric format: CloudWatch makes metrics of a log line
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).
//! The names and labels are those of `/metrics`, but a counter tells what was added since the line before.
//!
//! Never here: what is counted.

use std::collections::BTreeMap;

use jiff::Timestamp;
use prometheus::proto::{Metric, MetricFamily, MetricType};
use serde_json::{Map, Value, json};

const NAMESPACE: &str = "Guestlist";

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
#[derive(Debug, Default)]
pub(super) struct Told {
    counters: BTreeMap<Name, f64>,
    /// Up to each bound.
    buckets: BTreeMap<Name, Vec<u64>>,
}

impl Told {
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
        by_labels.iter().map(|(labels, metrics)| line(labels, metrics, now)).collect()
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

fn line(labels: &Labels, metrics: &[Measured], now: Timestamp) -> String {
    let dimensions: Vec<&String> = labels.iter().map(|(name, _)| name).collect();
    let described =
        metrics.iter().map(|Measured { name, value: _, unit }| json!({ "Name": name, "Unit": unit }));
    let described: Vec<Value> = described.collect();
    let directive = json!({ "Namespace": NAMESPACE, "Dimensions": [dimensions], "Metrics": described });
    let mut all = Map::new();
    let about = json!({ "Timestamp": now.as_millisecond(), "CloudWatchMetrics": [directive] });
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
        let mut told = Told::default();
        let lines = parsed(told.news(&registry.gather(), now()));
        assert_eq!(
            lines,
            [json!({
                "_aws": {
                    "Timestamp": 1_800_000_000_000_i64,
                    "CloudWatchMetrics": [{
                        "Namespace": "Guestlist",
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
        let mut told = Told::default();
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
