//! The answer for a terminal: who eats the heap, what was never freed, what failed.

use std::cmp::Reverse;
use std::io::{self, Write};

use heapwire::trace::replay::{Fate, Replay, SiteTotals, Unfreed};
use heapwire::trace::symbols::{SiteName, Symbols, escaped};

use crate::units::{bytes_text, counted, grouped, time_text};

/// Most columns of a site's name.
const MAX_SITE_WIDTH: usize = 72;

/// Innermost instruction pointers shown for a site that has a call stack and no name.
const SHOWN_CALLERS: usize = 3;

/// Prints what happened on the heap: the findings first, then `top` sites in each table.
pub(crate) fn print_answer(
    out: &mut impl Write,
    replay: &Replay,
    symbols: &Symbols,
    top: usize,
) -> io::Result<()> {
    let (unknown, leaked): (Vec<Unfreed>, Vec<Unfreed>) =
        replay.unfreed().into_iter().partition(|group| group.fate == Fate::Unknown);
    let answer = Answer { replay, symbols, top };
    answer.print_heading(out)?;
    answer.print_findings(out, &leaked, &unknown)?;
    answer.print_usage(out)?;
    answer.print_unfreed(out, "Never freed", &leaked)?;
    answer.print_unfreed(out, "Fate unknown: a gap may hide the free", &unknown)?;
    answer.print_top_sites(out)
}

/// What every part of the answer looks at.
struct Answer<'a> {
    replay: &'a Replay,
    symbols: &'a Symbols,
    top: usize,
}

impl Answer<'_> {
    fn print_heading(&self, out: &mut impl Write) -> io::Result<()> {
        if let Some(session) = self.symbols.session() {
            write!(out, "{}", escaped(&session.device))?;
            if !session.build.is_empty() {
                write!(out, ", build {}", escaped(&session.build))?;
            }
            write!(out, ": ")?;
        }
        let (first, last) = self.replay.span().unwrap_or_default();
        let events = counted(self.replay.counts().total(), "event");
        writeln!(out, "{events} in {}\n", self.time(last - first))
    }

    fn print_findings(
        &self,
        out: &mut impl Write,
        leaked: &[Unfreed],
        unknown: &[Unfreed],
    ) -> io::Result<()> {
        print_line(out, "never freed", &sum_text(leaked))?;

        let failed = self.replay.largest_failed().map_or("none".to_owned(), |largest| {
            let count = counted(self.replay.counts().failed, "allocation");
            let (size, site) = (bytes_text(largest.size), self.site(largest.site));
            format!("{count}, largest {size} at {}, asked by {site}", self.time(largest.time))
        });
        print_line(out, "failed", &failed)?;

        let gaps = self.replay.gaps();
        if gaps.count == 0 {
            print_line(out, "gaps", "none")?;
        } else {
            let missing = match gaps.missing_events {
                0 => "of unknown size".to_owned(),
                events => format!("{} missing", counted(events, "event")),
            };
            let gaps = counted(gaps.count, "gap");
            print_line(out, "gaps", &format!("{gaps}, {missing}"))?;
            print_line(out, "fate unknown", &sum_text(unknown))?;
        }

        let unknown_frees = self.replay.unknown_frees();
        if unknown_frees != 0 {
            let frees = grouped(unknown_frees);
            print_line(out, "stray frees", &format!("{frees}, of blocks not known to be live"))?;
        }
        let doubles = self.replay.double_allocations();
        if doubles != 0 {
            let doubles = grouped(doubles);
            print_line(out, "double alloc", &format!("{doubles}, at the address of a live block"))?;
        }
        writeln!(out)
    }

    fn print_usage(&self, out: &mut impl Write) -> io::Result<()> {
        let replay = self.replay;
        let peak = replay.peak();
        let mut most = in_blocks(peak.bytes, peak.blocks);
        if peak.bytes != 0 {
            most += &format!(" at {}, reached by {}", self.time(peak.time), self.site(peak.site));
        }
        let exact = replay.totals();
        if exact.peak_bytes > peak.bytes {
            most = format!("{} in a gap; outside of gaps {most}", bytes_text(exact.peak_bytes));
        }
        print_line(out, "peak", &most)?;
        let counts = replay.counts();
        if !replay.is_corrected() {
            let live = in_blocks(replay.live_bytes(), replay.live_blocks());
            print_line(out, "at the end", &live)?;
        } else {
            let blocks = exact.allocations.saturating_sub(exact.frees);
            print_line(out, "at the end", &in_blocks(exact.bytes_in_use, blocks))?;
            let (allocs, frees) = (grouped(exact.allocations), grouped(exact.frees));
            let counted =
                format!("{allocs} allocations and {frees} frees, resizes included in both");
            print_line(out, "recorder", &format!("counted {counted}"))?;
        }

        let total = replay.sites().fold(0_u64, |sum, (_, site)| sum.saturating_add(site.bytes));
        let (total, allocs) = (bytes_text(total), counted(counts.allocs, "allocation"));
        let reallocs = counted(counts.reallocs, "reallocation");
        let frees = counted(counts.frees, "free");
        let what = if replay.is_corrected() { "seen" } else { "in all" };
        print_line(out, what, &format!("{total} by {allocs} and {reallocs}; {frees}"))
    }

    fn print_unfreed(
        &self,
        out: &mut impl Write,
        title: &str,
        groups: &[Unfreed],
    ) -> io::Result<()> {
        if groups.is_empty() {
            return Ok(());
        }
        let row = |group: &Unfreed| {
            [
                bytes_text(group.bytes),
                grouped(group.blocks),
                self.time(group.oldest),
                self.site(group.site),
            ]
        };
        let rows: Vec<_> = groups.iter().take(self.top).map(row).collect();
        print_table(out, title, ["bytes", "blocks", "oldest", "site"], &rows)?;
        let more = groups.get(self.top..).unwrap_or_default();
        if more.is_empty() {
            return Ok(());
        }
        let sites = counted(more.len() as u64, "more site");
        writeln!(out, "  and {sites}: {}", blocks_text(more))
    }

    fn print_top_sites(&self, out: &mut impl Write) -> io::Result<()> {
        let mut sites: Vec<(u32, &SiteTotals)> =
            self.replay.sites().filter(|(_, totals)| totals.allocations != 0).collect();
        if sites.is_empty() {
            return Ok(());
        }
        let bytes = sites.iter().fold(0_u64, |sum, (_, site)| sum.saturating_add(site.bytes));
        sites.sort_unstable_by_key(|&(id, site)| (Reverse(site.bytes), id));
        let row = |&(id, site): &(u32, &SiteTotals)| {
            [
                bytes_text(site.bytes),
                share_text(site.bytes, bytes),
                grouped(site.allocations),
                bytes_text(site.peak_bytes),
                self.site(id),
            ]
        };
        let rows: Vec<_> = sites.iter().take(self.top).map(row).collect();
        let header = ["bytes", "share", "allocations", "peak", "site"];
        print_table(out, "Most bytes allocated", header, &rows)?;

        let count = sites.iter().fold(0, |sum, (_, site)| sum + site.allocations);
        sites.sort_unstable_by_key(|&(id, site)| (Reverse(site.allocations), id));
        let row = |&(id, site): &(u32, &SiteTotals)| {
            [
                grouped(site.allocations),
                share_text(site.allocations, count),
                bytes_text(site.bytes / site.allocations.max(1)),
                self.site(id),
            ]
        };
        let rows: Vec<_> = sites.iter().take(self.top).map(row).collect();
        print_table(out, "Most allocations", ["allocations", "share", "mean", "site"], &rows)
    }

    fn time(&self, ticks: u64) -> String {
        time_text(ticks, self.symbols.ticks_per_second())
    }

    /// Names a site in at most [`MAX_SITE_WIDTH`] columns.
    fn site(&self, id: u32) -> String {
        let name = match self.symbols.site(id) {
            SiteName::Address(_) => {
                let callers = self.symbols.stack(id).take(SHOWN_CALLERS);
                let callers: Vec<String> = callers.map(|ip| format!("{ip:#x}")).collect();
                format!("site {id}: {}", callers.join(" < "))
            }
            site => site.to_string(),
        };
        match name.char_indices().nth(MAX_SITE_WIDTH) {
            None => name,
            Some((end, _)) => name[..end].chars().take(MAX_SITE_WIDTH - 1).chain(['…']).collect(),
        }
    }
}

fn print_line(out: &mut impl Write, what: &str, answer: &str) -> io::Result<()> {
    writeln!(out, "{what:<12}  {answer}")
}

/// Prints a table: numbers to the right, the last column, a name, to the left.
fn print_table<const COLUMNS: usize>(
    out: &mut impl Write,
    title: &str,
    header: [&str; COLUMNS],
    rows: &[[String; COLUMNS]],
) -> io::Result<()> {
    writeln!(out, "\n{title}")?;
    let mut widths = header.map(str::len);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let lines = std::iter::once(header).chain(rows.iter().map(|row| row.each_ref().map(|s| &**s)));
    for line in lines {
        for (column, (cell, &width)) in line.iter().zip(&widths).enumerate() {
            if column + 1 == COLUMNS {
                writeln!(out, "  {cell}")?;
            } else {
                write!(out, "  {cell:>width$}")?;
            }
        }
    }
    Ok(())
}

/// Sums up unfreed blocks: `11 blocks, 7.3 KiB, from 3 sites`.
fn sum_text(groups: &[Unfreed]) -> String {
    if groups.is_empty() {
        return "none".to_owned();
    }
    format!("{}, from {}", blocks_text(groups), counted(groups.len() as u64, "site"))
}

/// Sums up unfreed blocks: `11 blocks, 7.3 KiB`.
fn blocks_text(groups: &[Unfreed]) -> String {
    let blocks = groups.iter().fold(0, |sum, group| sum + group.blocks);
    let bytes = groups.iter().fold(0_u64, |sum, group| sum.saturating_add(group.bytes));
    format!("{}, {}", counted(blocks, "block"), bytes_text(bytes))
}

fn in_blocks(bytes: u64, blocks: u64) -> String {
    format!("{} in {}", bytes_text(bytes), counted(blocks, "block"))
}

fn share_text(part: u64, whole: u64) -> String {
    format!("{:.1} %", part as f64 * 100.0 / whole.max(1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use heapwire_core::{Definition, Event, EventKind, Name, NameKind, Node, Session};

    fn answer(replay: &Replay, symbols: &Symbols) -> String {
        let mut out = Vec::new();
        print_answer(&mut out, replay, symbols, 2).expect("a vector takes every write");
        String::from_utf8(out).expect("text is written")
    }

    fn alloc(replay: &mut Replay, time: u64, address: u64, size: u64, site: u32) {
        replay.event(&Event { time, thread: 1, kind: EventKind::Alloc { address, size, site } });
    }

    #[test]
    fn the_answer_comes_first_and_tables_are_aligned() {
        let mut symbols = Symbols::new();
        let (ticks_per_second, address_bits) = (1_000_000, 32);
        symbols.define(&Definition::Session(Session {
            device: "sensor\x1b[2J",
            build: "4f2a",
            ticks_per_second,
            address_bits,
        }));
        symbols.define(&Definition::Name(Name {
            kind: NameKind::Scope,
            id: 1,
            text: "net::receive",
        }));
        symbols.define(&Definition::Node(Node { id: 2, parent: 3, ip: 0x0800_1234 }));
        symbols.define(&Definition::Node(Node { id: 3, parent: 0, ip: 0x0800_0800 }));

        let mut replay = Replay::new();
        alloc(&mut replay, 100, 8, 1_536, 1);
        alloc(&mut replay, 200, 2_000, 40, 2);
        replay.gap(12);
        alloc(&mut replay, 2_100, 4_000, 1_024, 1);
        alloc(&mut replay, 3_000, 6_000, 4, 9);
        alloc(&mut replay, 3_050, 6_500, 2, 0);
        let failed = EventKind::FailedAlloc { size: 65_536, site: 1 };
        replay.event(&Event { time: 3_100, thread: 1, kind: failed });
        let free = EventKind::Free { address: 1, site: 0 };
        replay.event(&Event { time: 1_500_100, thread: 1, kind: free });

        let expected = "\
sensor\\u{1b}[2J, build 4f2a: 7 events in 1.50 s

never freed   3 blocks, 1.0 KiB, from 3 sites
failed        1 allocation, largest 64.0 KiB at 3.1 ms, asked by net::receive
gaps          1 gap, 12 events missing
fate unknown  2 blocks, 1.5 KiB, from 2 sites
stray frees   1, of blocks not known to be live

peak          2.5 KiB in 5 blocks at 3.1 ms, reached by unknown site
at the end    2.5 KiB in 5 blocks
in all        2.5 KiB by 5 allocations and 0 reallocations; 1 free

Never freed
    bytes  blocks  oldest  site
  1.0 KiB       1  2.1 ms  net::receive
      4 B       1  3.0 ms  site 9
  and 1 more site: 1 block, 2 B

Fate unknown: a gap may hide the free
    bytes  blocks  oldest  site
  1.5 KiB       1  100 µs  net::receive
     40 B       1  200 µs  site 2: 0x8001234 < 0x8000800

Most bytes allocated
    bytes   share  allocations     peak  site
  2.5 KiB  98.2 %            2  2.5 KiB  net::receive
     40 B   1.5 %            1     40 B  site 2: 0x8001234 < 0x8000800

Most allocations
  allocations   share     mean  site
            2  40.0 %  1.2 KiB  net::receive
            1  20.0 %      2 B  unknown site
";
        assert_eq!(answer(&replay, &symbols), expected);
    }

    #[test]
    fn an_empty_trace_has_a_short_answer() {
        let expected = "\
0 events in 0 ticks

never freed   none
failed        none
gaps          none

peak          0 B in 0 blocks
at the end    0 B in 0 blocks
in all        0 B by 0 allocations and 0 reallocations; 0 frees
";
        assert_eq!(answer(&Replay::new(), &Symbols::new()), expected);
    }

    #[test]
    fn a_long_name_is_cut() {
        let mut symbols = Symbols::new();
        let text = "ä".repeat(MAX_SITE_WIDTH + 1);
        symbols.define(&Definition::Name(Name { kind: NameKind::Scope, id: 1, text: &text }));
        let shown = Answer { replay: &Replay::new(), symbols: &symbols, top: 1 }.site(1);
        assert_eq!(shown, format!("{}…", "ä".repeat(MAX_SITE_WIDTH - 1)));
    }
}
