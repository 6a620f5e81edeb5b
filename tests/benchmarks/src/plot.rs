//! The results as a picture: bytes against time, one half for encoding, one for decoding.

use std::fmt::Write;

use crate::means::Mean;

/// In pixels, as all lengths here.
const WIDTH: f64 = 1240.0;
const HEIGHT: f64 = 640.0;
/// Where the axes of a half are, from its own left and the picture's top.
const LEFT: f64 = 64.0;
const RIGHT: f64 = 596.0;
const TOP: f64 = 96.0;
const BOTTOM: f64 = 572.0;

/// How far labels may reach beyond the axes on the right.
const MARGIN: f64 = 16.0;

const FONT: f64 = 12.0;
/// About how wide a letter is, and a bold one, in a wide font.
const LETTER: f64 = 6.9;
const BOLD_LETTER: f64 = 7.8;

/// What our contenders' names begin with; the legend says it once.
const OUR_PREFIX: &str = "heapwire ";

/// A rectangle that no label may cover.
#[derive(Clone, Copy, Debug)]
struct Area {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

impl Area {
    /// How much of it another one covers.
    fn overlap(&self, other: &Self) -> f64 {
        let along = |a: f64, a_len: f64, b: f64, b_len: f64| {
            ((a + a_len).min(b + b_len) - a.max(b)).max(0.0)
        };
        along(self.x, self.width, other.x, other.width)
            * along(self.y, self.height, other.y, other.height)
    }
}

/// A logarithmic axis.
#[derive(Clone, Copy, Debug)]
struct Axis {
    /// Values at its ends.
    from: f64,
    to: f64,
    /// Pixels at its ends.
    start: f64,
    end: f64,
}

impl Axis {
    /// An axis for these values, with some room at both ends.
    fn over(values: impl Iterator<Item = f64> + Clone, start: f64, end: f64) -> Self {
        let (least, most) = values.fold((f64::INFINITY, 0.0_f64), |(least, most), value| {
            (least.min(value), most.max(value))
        });
        Self { from: least / 1.35, to: most * 1.35, start, end }
    }

    fn at(&self, value: f64) -> f64 {
        let share = (value / self.from).ln() / (self.to / self.from).ln();
        self.start + share * (self.end - self.start)
    }

    /// 1, 2 and 5 times the powers of ten.
    fn ticks(&self) -> impl Iterator<Item = f64> {
        let Self { from, to, .. } = *self;
        (-3..7)
            .flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10_f64.powi(power)))
            .filter(move |tick| (from..=to).contains(tick))
    }
}

/// A contender's place in a half.
#[derive(Clone, Copy, Debug)]
struct Point<'a> {
    x: f64,
    y: f64,
    name: &'a str,
    is_ours: bool,
}

/// The picture of these contenders. Variants of the same setting, in threads or chunk size, are left
/// out: they would cover each other.
#[must_use]
pub fn svg(means: &[Mean], subtitle: &str) -> String {
    let means: Vec<&Mean> = means.iter().filter(|mean| !mean.is_variant).collect();
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="system-ui, sans-serif" font-size="{FONT}">
<title>Bytes and time an event</title>
<style>
.grid {{ stroke: #e4e7eb }} .axis {{ stroke: #7b8794 }} .text {{ fill: #52606d }}
.peer {{ fill: #9aa5b1 }} .peer-name {{ fill: #52606d }}
.ours {{ fill: #c2410c }} .ours-name {{ fill: #9a3412; font-weight: 600 }}
.leader {{ stroke: #9aa5b1; stroke-width: 0.7 }}
</style>
<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>
<text x="{LEFT}" y="30" font-size="18" font-weight="600" fill="#1f2933">Bytes and time an event: less is better on both axes</text>
<text x="{LEFT}" y="50" class="text">{subtitle}; one thread, medians; both axes are logarithmic</text>
<circle class="ours" cx="{}" cy="26" r="5"/><text class="ours-name" x="{}" y="30">heapwire</text>
<circle class="peer" cx="{}" cy="26" r="4"/><text class="peer-name" x="{}" y="30">others</text>
"##,
        WIDTH - 190.0,
        WIDTH - 178.0,
        WIDTH - 86.0,
        WIDTH - 76.0,
        subtitle = escaped(subtitle),
    );
    let bytes = Axis::over(means.iter().map(|mean| mean.bytes_per_event), BOTTOM, TOP);
    type Time = fn(&Mean) -> f64;
    let halves: [(&str, Time); 2] =
        [("encode", |mean| mean.encode.median), ("decode", |mean| mean.decode.median)];
    for (at, (name, time)) in halves.into_iter().enumerate() {
        let left = at as f64 * WIDTH / 2.0;
        let times = Axis::over(means.iter().map(|mean| time(mean)), left + LEFT, left + RIGHT);
        let points = means.iter().map(|mean| Point {
            x: times.at(time(mean)),
            y: bytes.at(mean.bytes_per_event),
            name: mean.contender.strip_prefix(OUR_PREFIX).unwrap_or(&mean.contender),
            is_ours: mean.is_ours,
        });
        draw_axes(&mut svg, name, &times, &bytes);
        draw_points(&mut svg, &points.collect::<Vec<_>>(), &times);
    }
    svg.push_str("</svg>\n");
    svg
}

fn draw_axes(svg: &mut String, name: &str, times: &Axis, bytes: &Axis) {
    let (left, right) = (times.start, times.end);
    let mut line = |text: std::fmt::Arguments<'_>| {
        // Writing to a string cannot fail.
        let _ = svg.write_fmt(text);
        svg.push('\n');
    };
    for tick in times.ticks() {
        let x = times.at(tick);
        line(format_args!(
            r#"<line class="grid" x1="{x:.1}" y1="{TOP}" x2="{x:.1}" y2="{BOTTOM}"/><text class="text" x="{x:.1}" y="{}" text-anchor="middle">{tick}</text>"#,
            BOTTOM + 18.0
        ));
    }
    for tick in bytes.ticks() {
        let y = bytes.at(tick);
        line(format_args!(
            r#"<line class="grid" x1="{left}" y1="{y:.1}" x2="{right}" y2="{y:.1}"/><text class="text" x="{}" y="{:.1}" text-anchor="end">{tick}</text>"#,
            left - 6.0,
            y + 4.0
        ));
    }
    line(format_args!(r#"<path class="axis" fill="none" d="M{left} {TOP}V{BOTTOM}H{right}"/>"#));
    line(format_args!(
        r##"<text x="{left}" y="{}" font-size="14" font-weight="600" fill="#1f2933">{name}</text>"##,
        TOP - 12.0
    ));
    line(format_args!(
        r#"<text class="text" x="{}" y="{}" text-anchor="middle">nanoseconds an event</text>"#,
        (left + right) / 2.0,
        BOTTOM + 40.0
    ));
    line(format_args!(
        r#"<text class="text" transform="translate({} {}) rotate(-90)" text-anchor="middle">bytes an event</text>"#,
        left - 44.0,
        (TOP + BOTTOM) / 2.0
    ));
}

fn draw_points(svg: &mut String, points: &[Point<'_>], times: &Axis) {
    let mut taken: Vec<Area> = points
        .iter()
        .map(|point| Area { x: point.x - 6.0, y: point.y - 6.0, width: 12.0, height: 12.0 })
        .collect();
    // Ours first: they get the places nearest to their points.
    let mut ordered: Vec<&Point<'_>> = points.iter().collect();
    ordered.sort_by_key(|point| !point.is_ours);
    let mut labels = String::new();
    for point in ordered {
        let Label { area, align, is_near } = place_label(point, &taken, times);
        taken.push(area);
        let (anchor, text_x) = match align {
            Align::After => ("start", area.x),
            Align::Centre => ("middle", area.x + area.width / 2.0),
            Align::Before => ("end", area.x + area.width),
        };
        let class = if point.is_ours { "ours" } else { "peer" };
        let radius = if point.is_ours { 5.0 } else { 4.0 };
        let Point { x, y, name, .. } = *point;
        if !is_near {
            let end = (x.clamp(area.x, area.x + area.width), y.clamp(area.y, area.y + area.height));
            let _ = writeln!(
                svg,
                r#"<line class="leader" x1="{x:.1}" y1="{y:.1}" x2="{:.1}" y2="{:.1}"/>"#,
                end.0, end.1
            );
        }
        let _ = writeln!(
            labels,
            r#"<circle class="{class}" cx="{x:.1}" cy="{y:.1}" r="{radius}"/><text class="{class}-name" x="{text_x:.1}" y="{:.1}" text-anchor="{anchor}">{}</text>"#,
            area.y + FONT - 2.0,
            escaped(name)
        );
    }
    svg.push_str(&labels);
}

/// On which side of its point a label stands.
#[derive(Clone, Copy, Debug)]
enum Align {
    Before,
    Centre,
    After,
}

#[derive(Clone, Copy, Debug)]
struct Label {
    area: Area,
    align: Align,
    /// Whether it stands right beside its point.
    is_near: bool,
}

/// Puts a point's label where it covers least, as near as that may be.
fn place_label(point: &Point<'_>, taken: &[Area], times: &Axis) -> Label {
    let letter = if point.is_ours { BOLD_LETTER } else { LETTER };
    let width = point.name.chars().count() as f64 * letter;
    let height = FONT + 1.0;
    let mut best: Option<(f64, Label)> = None;
    for ring in 0..9 {
        let distance = 8.0 + 13.0 * f64::from(ring);
        for (align, right, down) in [
            (Align::After, 1.0, 0.0),
            (Align::Before, -1.0, 0.0),
            (Align::Centre, 0.0, -1.0),
            (Align::Centre, 0.0, 1.0),
            (Align::After, 0.8, -0.8),
            (Align::After, 0.8, 0.8),
            (Align::Before, -0.8, -0.8),
            (Align::Before, -0.8, 0.8),
        ] {
            let x = point.x + right * distance;
            let x = match align {
                Align::After => x,
                Align::Centre => x - width / 2.0,
                Align::Before => x - width,
            };
            let y = point.y + down * distance - height / 2.0;
            let area = Area { x, y, width, height };
            let outside = (times.start - x).max(0.0)
                + (x + width - times.end - MARGIN).max(0.0)
                + (TOP - y).max(0.0)
                + (y + height - BOTTOM).max(0.0);
            let covered: f64 = taken.iter().map(|other| area.overlap(other)).sum();
            let cost = 20.0 * outside + 4.0 * covered + distance;
            if best.is_none_or(|(least, _)| cost < least) {
                best = Some((cost, Label { area, align, is_near: ring == 0 }));
            }
        }
    }
    best.expect("there are places to choose from").1
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
