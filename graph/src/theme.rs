//! Colours, for paper and for the dark.
//!
//! A picture that follows its reader names its colours by CSS variables; one with a theme of its own has them
//! written out, because many programs that show SVG know no variables.

/// Light, dark, or what the reader has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Theme {
    /// As `prefers-color-scheme` says.
    #[default]
    Auto,
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

/// What a colour is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    Ground,
    Box,
    Inner,
    Text,
    Muted,
    Line,
    Faint,
    Task,
    Callback,
    Pass,
    Wait,
    Choice,
    Succeed,
    Fail,
    Container,
    TintTask,
    TintSucceed,
    TintWait,
    TintFail,
}

impl Colour {
    pub const ALL: [Colour; 19] = [
        Colour::Ground,
        Colour::Box,
        Colour::Inner,
        Colour::Text,
        Colour::Muted,
        Colour::Line,
        Colour::Faint,
        Colour::Task,
        Colour::Callback,
        Colour::Pass,
        Colour::Wait,
        Colour::Choice,
        Colour::Succeed,
        Colour::Fail,
        Colour::Container,
        Colour::TintTask,
        Colour::TintSucceed,
        Colour::TintWait,
        Colour::TintFail,
    ];

    /// Its name in CSS, and what it is in light and in dark.
    pub fn values(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Colour::Ground => ("ground", "#ffffff", "#0d1117"),
            Colour::Box => ("box", "#ffffff", "#161b22"),
            Colour::Inner => ("inner", "#f4f6f8", "#11161d"),
            Colour::Text => ("text", "#1f2328", "#e6edf3"),
            Colour::Muted => ("muted", "#57606a", "#9aa4af"),
            Colour::Line => ("line", "#6e7781", "#848d97"),
            Colour::Faint => ("faint", "#8c959f", "#656d76"),
            Colour::Task => ("task", "#0757ba", "#6cb6ff"),
            Colour::Callback => ("callback", "#a5256f", "#f778ba"),
            Colour::Pass => ("pass", "#57606a", "#9aa4af"),
            Colour::Wait => ("wait", "#855a00", "#d9a32a"),
            Colour::Choice => ("choice", "#7037cd", "#c297ff"),
            Colour::Succeed => ("succeed", "#176f33", "#4ac26b"),
            Colour::Fail => ("fail", "#c01c28", "#ff7b72"),
            Colour::Container => ("container", "#15696f", "#4fc3cb"),
            Colour::TintTask => ("tint-task", "#e6f1ff", "#12263f"),
            Colour::TintSucceed => ("tint-succeed", "#e8f7ec", "#11291a"),
            Colour::TintWait => ("tint-wait", "#fff5d9", "#2d2409"),
            Colour::TintFail => ("tint-fail", "#ffebe9", "#381418"),
        }
    }
}

impl Theme {
    /// The class of the picture, so that pictures of different themes can stand in one page.
    pub fn class(self) -> &'static str {
        match self {
            Theme::Auto => "rejoin-graph",
            Theme::Light => "rejoin-graph-light",
            Theme::Dark => "rejoin-graph-dark",
        }
    }

    /// A colour, as CSS has it.
    pub fn of(self, colour: Colour) -> String {
        let (name, light, dark) = colour.values();
        match self {
            Theme::Auto => format!("var(--{name})"),
            Theme::Light => light.to_owned(),
            Theme::Dark => dark.to_owned(),
        }
    }

    /// The variables that [`Theme::of`] names, if it does.
    pub fn variables(self) -> String {
        if self != Theme::Auto {
            return String::new();
        }
        let all = |dark: bool| -> String {
            let each = Colour::ALL.iter().map(|colour| {
                let (name, light, night) = colour.values();
                format!("--{name}:{};", if dark { night } else { light })
            });
            each.collect()
        };
        let class = self.class();
        format!(
            ".{class}{{color-scheme:light dark;{}}}\n@media (prefers-color-scheme:dark){{.{class}{{{}}}}}\n",
            all(false),
            all(true)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance, as WCAG 2 defines it.
    fn luminance(hex: &str) -> f64 {
        let part = |at: usize| {
            let value = u8::from_str_radix(&hex[at..at + 2], 16).expect("it is hexadecimal");
            let share = f64::from(value) / 255.0;
            if share <= 0.04045 {
                share / 12.92
            } else {
                ((share + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
    }

    #[test]
    fn contrast_is_what_wcag_asks_for() {
        use Colour::*;
        let grounds = [
            Ground,
            Box,
            Inner,
            TintTask,
            TintSucceed,
            TintWait,
            TintFail,
        ];
        let texts = [
            Text, Muted, Task, Callback, Pass, Wait, Choice, Succeed, Fail, Container,
        ];
        for theme in [Theme::Light, Theme::Dark] {
            let contrast = |a: Colour, b: Colour| {
                let (a, b) = (luminance(&theme.of(a)), luminance(&theme.of(b)));
                (a.max(b) + 0.05) / (a.min(b) + 0.05)
            };
            for ground in grounds {
                for text in texts {
                    let found = contrast(text, ground);
                    assert!(found >= 4.5, "{theme:?} {text:?} on {ground:?}: {found:.2}");
                }
            }
            for ground in [Ground, Inner] {
                assert!(contrast(Line, ground) >= 3.0, "{theme:?} {ground:?}");
            }
        }
    }
}
