//! What frames every page: title, navigation, banner, message.

use domain::{Label, Role};

/// The frame around a page.
#[derive(Debug, Clone)]
pub struct Chrome {
    /// Title of the page, without the product's name.
    pub title: String,
    /// Name of the organisation that runs the appliance.
    pub organisation: String,
    /// The navigation entry that this page belongs to.
    pub active: Nav,
    /// Who is signed in.
    pub person: Option<Person>,
    /// Anti-forgery token of the session; every form that posts carries it in the field `csrf`.
    pub csrf: String,
    /// The highest label on this page.
    pub banner: Option<Label>,
    /// What the last act did.
    pub flash: Option<Flash>,
    /// Light, dark, or as the reader's system says.
    pub theme: Theme,
    /// Whether the site answers questions; if not, it can be searched.
    pub asking: bool,
}

/// The signed-in person, as the frame names them.
#[derive(Debug, Clone)]
pub struct Person {
    /// How pages address the person.
    pub display_name: String,
    /// Decides which navigation entries there are.
    pub role: Role,
}

/// The entries of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nav {
    /// Questions and answers.
    Ask,
    /// Passages for a few words.
    Search,
    /// Collections and their documents.
    Library,
    /// The ingest queue.
    Jobs,
    /// Folders that are watched for files.
    Folders,
    /// Users and groups.
    People,
    /// Collections and who may do what in them.
    Collections,
    /// Model packs and which of them run.
    Models,
    /// One question to two models.
    Compare,
    /// The appliance's health.
    Health,
    /// The audit log.
    Audit,
    /// A page that is none of these.
    None,
}

/// One entry of the navigation as a page shows it.
#[derive(Debug, Clone, Copy)]
pub struct NavItem {
    /// Where it leads.
    pub href: &'static str,
    /// Its word.
    pub text: &'static str,
    /// Whether the page belongs to it.
    pub current: bool,
    /// Whether a rule sets it apart from the entry before it.
    pub apart: bool,
}

impl Nav {
    const fn link(self) -> (&'static str, &'static str) {
        match self {
            Self::Ask => ("/ask", "Ask"),
            Self::Search => ("/search", "Search"),
            Self::Library => ("/library", "Library"),
            Self::Jobs => ("/jobs", "Jobs"),
            Self::Folders => ("/folders", "Folders"),
            Self::People => ("/people", "People"),
            Self::Collections => ("/admin/collections", "Collections"),
            Self::Models => ("/admin/models", "Models"),
            Self::Compare => ("/admin/models/compare", "Compare"),
            Self::Health => ("/admin", "Health"),
            Self::Audit => ("/audit", "Audit"),
            Self::None => ("/", "Carrel"),
        }
    }

    /// What a role works with, beside asking, searching and reading.
    const fn duties(role: Role) -> &'static [Self] {
        match role {
            Role::Staff => &[],
            Role::Curator => &[Self::Jobs, Self::Folders, Self::Compare],
            Role::Admin => &[Self::Jobs, Self::Folders, Self::People, Self::Collections, Self::Models, Self::Health],
            Role::Auditor => &[Self::Audit],
        }
    }
}

impl Chrome {
    /// Whether the person runs or audits the appliance, so that the manual is theirs.
    #[must_use]
    pub fn reads_manual(&self) -> bool {
        self.person.as_ref().is_some_and(|person| matches!(person.role, Role::Admin | Role::Auditor))
    }

    /// The navigation of the signed-in person; empty when nobody is.
    #[must_use]
    pub fn navigation(&self) -> Vec<NavItem> {
        let Some(person) = &self.person else { return Vec::new() };
        let item = |nav: &Nav, apart| {
            let (href, text) = nav.link();
            NavItem { href, text, current: *nav == self.active, apart }
        };
        let offered = |nav: &&Nav| self.asking || !matches!(nav, Nav::Ask | Nav::Compare);
        let reading = [Nav::Ask, Nav::Search, Nav::Library];
        let duties = Nav::duties(person.role).iter().filter(offered).enumerate();
        let duties = duties.map(|(index, nav)| item(nav, index == 0));
        reading.iter().filter(offered).map(|nav| item(nav, false)).chain(duties).collect()
    }
}

/// A message about the last act, shown once.
#[derive(Debug, Clone)]
pub struct Flash {
    /// Whether it went well.
    pub kind: FlashKind,
    /// One sentence.
    pub text: String,
}

/// How the last act went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlashKind {
    /// Done.
    Done,
    /// Worth knowing.
    Notice,
    /// Not done.
    Problem,
}

impl FlashKind {
    /// The word that says it without colour; also the style's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Notice => "notice",
            Self::Problem => "problem",
        }
    }

    /// Its symbol in `icons.svg`.
    #[must_use]
    pub const fn icon(self) -> &'static str {
        match self {
            Self::Done => "check",
            Self::Notice => "info",
            Self::Problem => "alert",
        }
    }
}

/// Light or dark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Theme {
    /// As the reader's system says.
    #[default]
    Auto,
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Theme {
    /// All themes, in the order in which the switch offers them.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Light, Self::Dark];

    /// The theme's stable name: the value of the field `theme`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// What the switch says.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Auto => "As the system",
            Self::Light => "Light",
            Self::Dark => "Dark",
        }
    }
}

impl std::str::FromStr for Theme {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|theme| theme.as_str() == text)
            .ok_or_else(|| format!("'{text}' is not a theme; use auto, light or dark"))
    }
}

/// Links to the pages before and after this one.
#[derive(Debug, Clone, Default)]
pub struct Pager {
    /// What this page shows, such as `1–50 of 1,204`.
    pub summary: String,
    /// Address of the page before.
    pub previous: Option<String>,
    /// Address of the page after.
    pub next: Option<String>,
}

#[cfg(test)]
impl Chrome {
    pub(crate) fn sample(title: &str, active: Nav, role: Role) -> Self {
        Self {
            title: title.to_owned(),
            organisation: "Northlight Observatory".to_owned(),
            active,
            person: Some(Person { display_name: "Ada Moreau".to_owned(), role }),
            csrf: "c5f1e0b2a947".to_owned(),
            banner: Some(Label::Internal),
            flash: None,
            theme: Theme::Auto,
            asking: true,
        }
    }
}
