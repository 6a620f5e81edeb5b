//! The figures as a table of the README.

use std::fmt::Write;

use anyhow::{Context, Result};

use crate::figures::{Coder, Figures, Replay};

/// What is between these lines is written by the program.
const BEGIN: &str = "<!-- figures: written by ci/firmware --update -->\n";
const END: &str = "<!-- end of figures -->\n";

/// The README with the table of these figures.
pub(crate) fn replaced(readme: &str, figures: &Figures) -> Result<String> {
    let parts = || {
        let (before, rest) = readme.split_once(BEGIN)?;
        let (_, after) = rest.split_once(END)?;
        Some((before, after))
    };
    let (before, after) = parts().context("the README has no place for the figures")?;
    Ok(format!("{before}{BEGIN}\n{}\n{END}{after}", markdown(figures)))
}

/// Two tables: coders on one core, and heapwire on all cores.
pub(crate) fn markdown(figures: &Figures) -> String {
    let coders: Vec<_> =
        figures.coders.iter().rev().map(|(name, coder)| (&**name, coder)).collect();
    let cores: Vec<_> = figures.cores().collect();
    format!("{}\n{}\nWith rustc {}.\n", table(&coders), table(&cores), figures.rustc())
}

/// One column a coder or core, one row a figure.
fn table(coders: &[(&str, &Coder)]) -> String {
    let mut text = String::new();
    let mut row = |name: &str, cell: &dyn Fn(&str, &Coder) -> String| {
        write!(text, "| {name} |").expect("to a string");
        for (coder, figures) in coders {
            write!(text, " {} |", cell(coder, figures)).expect("to a string");
        }
        text.push('\n');
    };
    row("", &|name, _| name.to_owned());
    row("---", &|_, _| "--:".to_owned());
    for (trace, title) in [("made", "made-up heap"), ("real", "real workload")] {
        let mut of = |name: &str, cell: &dyn Fn(&Replay) -> String| {
            row(&format!("{title}: {name}"), &|_, coder| {
                coder.traces.get(trace).map_or("-".to_owned(), cell)
            });
        };
        let each = |total: u64, replay: &Replay| total as f64 / replay.events.max(1) as f64;
        of("bytes an event", &|replay| format!("{:.2}", each(replay.wire_bytes, replay)));
        of("instructions an event, in the hook", &|replay| {
            format!("{:.0}", each(replay.hook_instructions, replay))
        });
        of("in all, with the drain", &|replay| {
            format!("{:.0}", each(replay.hook_instructions + replay.drain_instructions, replay))
        });
        of("longest hook", &|replay| replay.longest_hook.to_string());
        of("stack of hook, drain", &|replay| {
            format!("{}, {}", replay.hook_stack_bytes, replay.drain_stack_bytes)
        });
    }
    let known = |value: Option<u64>| value.map_or("-".to_owned(), |value| value.to_string());
    row("longest hook that an adversary finds", &|_, coder| known(coder.longest_hook));
    row("flash, without memcpy and the like", &|_, coder| coder.flash_bytes.to_string());
    row("RAM besides buffers", &|_, coder| known(coder.ram_bytes));
    row("no panic path at opt-level", &|_, coder| match coder.panic_free_at.is_empty() {
        true => "none".to_owned(),
        false => coder.panic_free_at.join(", "),
    });
    text
}
