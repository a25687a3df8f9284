//! What the simulator knows about a type: its properties and its relations. The tables are in `schema_user`,
//! `schema_group` and `schema_small`; nothing here holds data of the tenant.
use super::{schema_group, schema_small, schema_user};

/// How a property's value looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Text,
    Flag,
    Date,
    Number,
    Texts,
    Object,
    Objects,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Property {
    pub(crate) name: &'static str,
    pub(crate) form: Form,
    pub(crate) nullable: bool,
    /// Comes without `$select`.
    pub(crate) default: bool,
    pub(crate) writable: bool,
    /// Documented `$filter` operators, separated by spaces; empty = not filterable.
    pub(crate) operators: &'static str,
    pub(crate) longest: Option<usize>,
}

pub(super) const ORDERED: &str = "eq ne not ge le in startsWith";
pub(super) const MAILED: &str = "eq ne not ge le in startsWith endsWith";
pub(super) const EQUAL: &str = "eq ne not in";
pub(super) const DATED: &str = "eq ne not ge le in";
pub(super) const PLAIN: &str = "eq ne not";
pub(super) const LISTED: &str = "eq not ge le startsWith endsWith";
pub(super) const STARTS: &str = "eq not ge le startsWith";

const fn of(name: &'static str, form: Form) -> Property {
    let nullable = !matches!(form, Form::Texts | Form::Objects);
    Property { name, form, nullable, default: false, writable: true, operators: "", longest: None }
}
pub(super) const fn text(name: &'static str) -> Property {
    of(name, Form::Text)
}
pub(super) const fn flag(name: &'static str) -> Property {
    of(name, Form::Flag)
}
pub(super) const fn date(name: &'static str) -> Property {
    of(name, Form::Date)
}
pub(super) const fn number(name: &'static str) -> Property {
    of(name, Form::Number)
}
pub(super) const fn texts(name: &'static str) -> Property {
    of(name, Form::Texts)
}
pub(super) const fn object(name: &'static str) -> Property {
    of(name, Form::Object)
}
pub(super) const fn objects(name: &'static str) -> Property {
    of(name, Form::Objects)
}

impl Property {
    pub(super) const fn never_null(mut self) -> Self {
        self.nullable = false;
        self
    }
    pub(super) const fn by_default(mut self) -> Self {
        self.default = true;
        self
    }
    pub(super) const fn read_only(mut self) -> Self {
        self.writable = false;
        self
    }
    pub(super) const fn filter(mut self, operators: &'static str) -> Self {
        self.operators = operators;
        self
    }
    pub(super) const fn at_most(mut self, characters: usize) -> Self {
        self.longest = Some(characters);
        self
    }

    pub(crate) fn supports(&self, operator: &str) -> bool {
        self.operators.split(' ').any(|known| known.eq_ignore_ascii_case(operator))
    }
}

/// A type of answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    User,
    Group,
    /// Users, groups, roles and the rest in one collection.
    DirectoryObject,
    Role,
    ServicePrincipal,
    Device,
    Organization,
    Audit,
    Subscription,
}

impl Type {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::User => "microsoft.graph.user",
            Self::Group => "microsoft.graph.group",
            Self::DirectoryObject => "microsoft.graph.directoryObject",
            Self::Role => "microsoft.graph.directoryRole",
            Self::ServicePrincipal => "microsoft.graph.servicePrincipal",
            Self::Device => "microsoft.graph.device",
            Self::Organization => "microsoft.graph.organization",
            Self::Audit => "microsoft.graph.directoryAudit",
            Self::Subscription => "microsoft.graph.subscription",
        }
    }

    /// Relations that `$expand` may name.
    pub(crate) fn relations(self) -> &'static [&'static str] {
        match self {
            Self::User => &["sponsors", "manager", "memberOf", "transitiveMemberOf", "ownedObjects"],
            Self::Group => &["members", "owners", "memberOf", "transitiveMemberOf", "transitiveMembers"],
            Self::DirectoryObject
            | Self::Role
            | Self::ServicePrincipal
            | Self::Device
            | Self::Organization
            | Self::Audit
            | Self::Subscription => &[],
        }
    }

    fn tables(self) -> &'static [&'static [Property]] {
        match self {
            Self::User => &[schema_user::USER],
            Self::Group => &[schema_group::GROUP],
            Self::DirectoryObject => &[
                schema_user::USER,
                schema_group::GROUP,
                schema_small::ROLE,
                schema_small::OTHER,
                schema_small::ORGANIZATION,
            ],
            Self::Role => &[schema_small::ROLE],
            Self::ServicePrincipal | Self::Device => &[schema_small::OTHER],
            Self::Organization => &[schema_small::ORGANIZATION],
            Self::Audit => &[schema_small::AUDIT],
            Self::Subscription => &[schema_small::SUBSCRIPTION],
        }
    }

    pub(crate) fn properties(self) -> impl Iterator<Item = &'static Property> {
        self.tables().iter().flat_map(|table| table.iter())
    }

    pub(crate) fn property(self, name: &str) -> Option<&'static Property> {
        self.properties().find(|property| property.name == name)
    }
}
