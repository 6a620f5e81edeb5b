//! The program that is tracked: it makes, reads, reshapes, groups and writes documents, as services do.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Map, Value};

const CITIES: [&str; 8] =
    ["Aachen", "Bologna", "Cádiz", "Dunkerque", "Esbjerg", "Funchal", "Graz", "Helsingør"];
const WORDS: [&str; 12] = [
    "fragile",
    "express",
    "gift",
    "returned",
    "bulk",
    "cold chain",
    "insured",
    "oversize",
    "paid",
    "partial",
    "signed",
    "tracked",
];

/// Orders in a document.
const ORDERS: usize = 400;

/// Reads, reshapes and groups `documents` documents, each made of the seed and its number. Returns a
/// number that depends on all of them.
#[must_use]
pub fn run(seed: u64, documents: u64) -> u64 {
    let mut archive: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut sum = 0;
    for number in 0..documents {
        let text = document(&mut fastrand::Rng::with_seed(seed ^ number << 32));
        let orders: Value = serde_json::from_str(&text).expect("made by `document`");
        let flat: Vec<Map<String, Value>> =
            orders.as_array().into_iter().flatten().map(flattened).collect();
        let index = index(&flat);
        for (word, places) in &index {
            let line = places.iter().map(|(city, count)| format!("{city}: {count}"));
            archive.entry(word.clone()).or_default().push(line.collect::<Vec<_>>().join(", "));
        }
        // The archive forgets, so that it does not grow with the run.
        for lines in archive.values_mut().filter(|lines| lines.len() > 50) {
            lines.drain(..25);
        }
        let written = serde_json::to_string(&by_city(flat)).expect("keys are strings");
        sum += written.len() as u64 + index.len() as u64;
    }
    sum + archive.values().flatten().map(|line| line.len() as u64).sum::<u64>()
}

/// A JSON array of orders.
fn document(random: &mut fastrand::Rng) -> String {
    let mut text = String::from("[");
    for order in 0..ORDERS {
        let separator = if order == 0 { "" } else { "," };
        let city = CITIES[random.usize(..CITIES.len())];
        let (id, postcode, street) = (random.u32(..), random.u32(10_000..99_999), random.u8(..));
        write!(
            text,
            r#"{separator}{{"id":"{id:08x}","customer":{{"name":"Customer {}","address":{{"city":"{city}","#,
            random.u16(..),
        )
        .and_then(|()| write!(text, r#""postcode":"{postcode}","street":"Street {street}"}}}},"#))
        .and_then(|()| text.write_str(r#""lines":["#))
        .expect("a String takes everything");
        for line in 0..random.usize(1..6) {
            let separator = if line == 0 { "" } else { "," };
            let (product, amount) = (random.u16(..), random.u8(1..20));
            let price = f64::from(random.u32(100..100_000)) / 100.0;
            write!(
                text,
                r#"{separator}{{"product":"product-{product}","amount":{amount},"price":{price}}}"#
            )
            .expect("a String takes everything");
        }
        text.push_str(r#"],"words":["#);
        for word in 0..random.usize(0..5) {
            let separator = if word == 0 { "" } else { "," };
            write!(text, r#"{separator}"{}""#, WORDS[random.usize(..WORDS.len())])
                .expect("a String takes everything");
        }
        text.push_str("]}");
    }
    text.push(']');
    text
}

/// The document as one map with dotted keys.
fn flattened(order: &Value) -> Map<String, Value> {
    let mut flat = Map::new();
    flatten_into(&mut flat, "", order);
    flat
}

fn flatten_into(flat: &mut Map<String, Value>, path: &str, value: &Value) {
    let below = |key: &str| match path {
        "" => key.to_owned(),
        _ => format!("{path}.{key}"),
    };
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(key, value)| flatten_into(flat, &below(key), value));
        }
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items.for_each(|(at, value)| flatten_into(flat, &below(&at.to_string()), value));
        }
        scalar => {
            flat.insert(path.to_owned(), scalar.clone());
        }
    }
}

/// How often each word stands in the orders of each city.
fn index(flat: &[Map<String, Value>]) -> BTreeMap<String, BTreeMap<String, u32>> {
    let mut index: BTreeMap<String, BTreeMap<String, u32>> = BTreeMap::new();
    for order in flat {
        let words = order.iter().filter(|(key, _)| key.starts_with("words."));
        for word in words.filter_map(|(_, value)| value.as_str()) {
            *index.entry(word.to_owned()).or_default().entry(city(order)).or_default() += 1;
        }
    }
    index
}

/// The orders by their city, without what all orders of a city share.
fn by_city(flat: Vec<Map<String, Value>>) -> BTreeMap<String, Vec<Value>> {
    let mut groups: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for mut order in flat {
        let city = city(&order);
        order.remove("customer.address.city");
        groups.entry(city).or_default().push(Value::Object(order));
    }
    groups
}

fn city(order: &Map<String, Value>) -> String {
    order.get("customer.address.city").and_then(Value::as_str).unwrap_or_default().to_owned()
}
