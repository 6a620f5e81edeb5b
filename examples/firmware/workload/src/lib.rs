//! What a device with an allocator does all day: it takes reports as JSON, keeps state by name and by
//! number, answers queries with text, and forgets what is old. Seeded: it does the same every time.
#![no_std]

extern crate alloc;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use alloc::{format, vec};

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use serde_json::{Map, Value, json};

/// Names who allocates, until the guard is dropped.
pub trait Scopes {
    type Guard;
    fn enter(&self, name: &'static str) -> Self::Guard;
}

/// Names of scopes that the workload enters, in the order in which they are numbered.
pub const SCOPES: [&str; 8] = [
    "net::receive",
    "json::parse",
    "sensors::update",
    "history::append",
    "rules::evaluate",
    "query::answer",
    "log::write",
    "net::send",
];

/// Marsaglia's xorshift: the same numbers everywhere.
struct Random(u32);

impl Random {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0 % bound
    }
}

const PLACES: [&str; 6] = ["kitchen", "hall", "garage", "bath", "garden", "cellar of the house"];
const KINDS: [&str; 4] = ["temperature", "humidity", "door", "power"];

/// The latest reading of each sensor.
type Sensors = BTreeMap<String, Reading>;

struct Reading {
    value: i64,
    unit: String,
    seen: u32,
}

/// How much of what comes it keeps.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub readings: u32,
    pub sensors: usize,
    pub history: usize,
    pub log: usize,
}

impl Limits {
    /// Some 12 KiB at once.
    pub const ROOMY: Self = Self { readings: 4, sensors: 12, history: 20, log: 10 };
    /// Half of that.
    pub const TIGHT: Self = Self { readings: 2, sensors: 4, history: 8, log: 4 };
}

/// The device's state. `idle` is called whenever it has nothing to do.
pub struct Workload<'a, S, I> {
    scopes: &'a S,
    limits: Limits,
    idle: I,
    random: Random,
    sensors: Sensors,
    /// The last values of a sensor, by its number.
    history: HashMap<u32, VecDeque<i64>, FixedState>,
    log: VecDeque<String>,
    outbox: Vec<String>,
}

impl<'a, S: Scopes, I: FnMut()> Workload<'a, S, I> {
    pub fn new(scopes: &'a S, limits: Limits, idle: I) -> Self {
        Self {
            scopes,
            limits,
            idle,
            random: Random(0x5EED_1E55),
            sensors: Sensors::new(),
            history: HashMap::with_hasher(FixedState::default()),
            log: VecDeque::new(),
            outbox: Vec::new(),
        }
    }

    /// A report comes, and all that it leads to.
    pub fn round(&mut self, round: u32) {
        let text = self.receive(round);
        let Some(report) = self.parse(&text) else { return };
        drop(text);
        (self.idle)();
        self.update(round, &report);
        (self.idle)();
        self.evaluate(round);
        if round % 3 == 1 {
            self.answer(round);
            (self.idle)();
        }
        if round % 4 == 3 {
            self.send();
        }
        drop(report);
        (self.idle)();
    }

    fn receive(&mut self, round: u32) -> Vec<u8> {
        let _scope = self.scopes.enter("net::receive");
        // Comes in pieces, as from a socket; few reports are longer than this.
        let mut text = Vec::with_capacity(192);
        let mut put = |piece: &str| text.extend_from_slice(piece.as_bytes());
        put("{\"round\":");
        put(&round.to_string());
        put(",\"readings\":[");
        let count = 1 + self.random.below(self.limits.readings);
        for i in 0..count {
            let place = PLACES[self.random.below(6) as usize];
            let kind = KINDS[self.random.below(4) as usize];
            let value = self.random.below(1000);
            put(if i == 0 { "{\"place\":\"" } else { ",{\"place\":\"" });
            put(place);
            put("\",\"kind\":\"");
            put(kind);
            put("\",\"value\":");
            put(&value.to_string());
            put("}");
        }
        put("]}");
        text
    }

    fn parse(&mut self, text: &[u8]) -> Option<Value> {
        let _scope = self.scopes.enter("json::parse");
        serde_json::from_slice(text).ok()
    }

    fn update(&mut self, round: u32, report: &Value) {
        let readings = report["readings"].as_array();
        for reading in readings.into_iter().flatten() {
            let (Some(place), Some(kind)) = (reading["place"].as_str(), reading["kind"].as_str())
            else {
                continue;
            };
            let value = reading["value"].as_i64().unwrap_or_default();
            let number = (place.len() * 8 + kind.len()) as u32;
            {
                let _scope = self.scopes.enter("sensors::update");
                let name = format!("{place}/{kind}");
                let unit = match kind {
                    "temperature" => "degrees Celsius",
                    "humidity" => "percent",
                    "power" => "watts",
                    _ => "",
                };
                self.sensors.insert(name, Reading { value, unit: unit.into(), seen: round });
                if self.sensors.len() > self.limits.sensors {
                    self.sensors.pop_first();
                }
            }
            let _scope = self.scopes.enter("history::append");
            let values = self.history.entry(number).or_default();
            values.push_back(value);
            if values.len() > self.limits.history {
                self.history.remove(&number);
            }
        }
    }

    fn evaluate(&mut self, round: u32) {
        let alarms: Vec<String> = {
            let _scope = self.scopes.enter("rules::evaluate");
            let high = self.sensors.iter().filter(|(_, reading)| reading.value > 900);
            high.map(|(name, reading)| format!("{name} is at {}", reading.value)).collect()
        };
        let _scope = self.scopes.enter("log::write");
        for alarm in alarms {
            self.log.push_back(format!("round {round}: {alarm}"));
        }
        while self.log.len() > self.limits.log {
            self.log.pop_front();
        }
    }

    fn answer(&mut self, round: u32) {
        let _scope = self.scopes.enter("query::answer");
        let mut answer = Map::new();
        let oldest = round.saturating_sub(self.random.below(20));
        for (name, reading) in self.sensors.iter().filter(|(_, reading)| reading.seen >= oldest) {
            answer.insert(name.clone(), json!({ "value": reading.value, "unit": reading.unit }));
        }
        self.outbox.push(Value::Object(answer).to_string());
    }

    fn send(&mut self) {
        let _scope = self.scopes.enter("net::send");
        for text in self.outbox.drain(..) {
            // Packets of up to 128 bytes, acknowledged one by one.
            let packets: Vec<Vec<u8>> = text.as_bytes().chunks(128).map(<[u8]>::to_vec).collect();
            let mut acknowledged = vec![false; packets.len()];
            for (packet, acknowledged) in packets.into_iter().zip(&mut acknowledged) {
                *acknowledged = !packet.is_empty();
            }
        }
    }
}
