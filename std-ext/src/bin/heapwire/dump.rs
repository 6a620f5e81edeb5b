//! `heapwire dump`: a capture as a text trace.

use std::io::{self, BufWriter, Write};

use heapwire::convert::text::write_item;
use heapwire::heapwire_core::Chunk;
use heapwire::io::atomic_file::AtomicFile;
use heapwire::io::capture_reader::{Completeness, Damage};
use heapwire::pipeline::parse::{CaptureVisitor, parse};
use heapwire::trace::Item;
use heapwire::trace::continuity::Follows;
use heapwire::{BinaryExportError, Result};

use crate::args::DumpArgs;
use crate::capture_input;
use crate::failure::{Failure, Outcome, is_stdio};

pub(crate) fn run(args: &DumpArgs) -> std::result::Result<Outcome, Failure> {
    let input = capture_input::open(&args.input)?;
    if is_stdio(&args.output) {
        let out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
        return Ok(dump(input, out, args)?.1);
    }
    let file = AtomicFile::create(&args.output).map_err(Failure::io("create", &args.output))?;
    let (file, outcome) = dump(input, file, args)?;
    file.commit().map_err(Failure::io("write", &args.output))?;
    Ok(outcome)
}

/// Writes all that can be read of `input` as text, and says on standard error what cannot.
fn dump<W: Write>(
    input: impl io::Read,
    out: W,
    args: &DumpArgs,
) -> std::result::Result<(W, Outcome), Failure> {
    let mut dumper = Dumper { out, refused: None, outcome: Outcome::Done };
    let completeness = parse(input, &mut dumper);
    let refused = dumper.refused.take().or_else(|| dumper.out.flush().err());
    if let Some(refused) = refused {
        return Err(match is_stdio(&args.output) {
            true => Failure::Output(refused),
            false => Failure::io("write", &args.output)(refused),
        });
    }
    if let Completeness::CutOff { offset } = completeness.map_err(Failure::of(&args.input))? {
        eprintln!("heapwire: {:?}: cut off at offset {offset}: no end mark", args.input);
        dumper.outcome = Outcome::Finding;
    }
    Ok((dumper.out, dumper.outcome))
}

struct Dumper<W> {
    out: W,
    /// What the output said, if it refused.
    refused: Option<io::Error>,
    outcome: Outcome,
}

impl<W: Write> Dumper<W> {
    fn written(&mut self, result: io::Result<()>) -> Result<()> {
        result.map_err(|error| {
            let kind = error.kind();
            self.refused = Some(error);
            BinaryExportError::Stream { action: "write the text", source: kind.into() }
        })
    }
}

impl<W: Write> CaptureVisitor for Dumper<W> {
    fn chunk(&mut self, _: &Chunk<'_>, _: u64, follows: Follows) -> Result<()> {
        let result = match follows {
            Follows::AfterGap(gap) => writeln!(
                self.out,
                "# gap in stream {} before time {}: {} events missing",
                gap.stream, gap.time, gap.events
            ),
            Follows::Restart => writeln!(self.out, "# the recorder was started anew"),
            Follows::Directly | Follows::Repeated => Ok(()),
        };
        self.written(result)
    }

    fn item(&mut self, item: Item<'_>) -> Result<()> {
        let result = write_item(&mut self.out, &item);
        self.written(result)
    }

    fn damage(&mut self, damage: &Damage) -> Result<()> {
        let Damage { offset, length, error } = damage;
        eprintln!("heapwire: at offset {offset}: {length} bytes cannot be read: {error}");
        self.outcome = Outcome::Finding;
        let result = writeln!(self.out, "# damaged: {length} bytes at offset {offset}");
        self.written(result)
    }
}
