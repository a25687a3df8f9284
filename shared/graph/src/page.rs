//! Collections that come in pages. A next link is opaque, and followed only where it leads to Graph itself.

use model::ObjectId;
use serde_json::{Map, Value};
use url::Url;

use crate::client::{Client, Document};
use crate::error::{GraphError, Trace};
use crate::loose;
use crate::target::Target;

/// One page, and where the next one is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next: Option<PageLink>,
}

/// A link that Graph gave and that leads to Graph: nothing else can be made into one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageLink(Url);

/// What one operation follows at most. A page of directory objects holds up to 999.
const MOST_PAGES: usize = 50;

impl Client {
    /// The first page, or the one that the link names.
    pub(crate) async fn page(
        &self,
        first: &Target,
        link: Option<PageLink>,
    ) -> Result<(Page<Value>, Trace), GraphError> {
        let Some(PageLink(url)) = link else {
            return self.page_of(self.read(first).await?);
        };
        let document = self.read_url(url.clone()).await?;
        let (page, trace) = self.page_of(document)?;
        if page.next == Some(PageLink(url)) {
            return Err(GraphError::unreadable("a page names itself as the next one", &trace));
        }
        Ok((page, trace))
    }

    /// Every item of a collection whose first page is here already.
    pub(crate) async fn rest(&self, first: Document) -> Result<(Vec<Value>, Trace), GraphError> {
        let (mut page, mut trace) = self.page_of(first)?;
        let mut items = std::mem::take(&mut page.items);
        let mut pages = 1_usize;
        while let Some(PageLink(url)) = page.next {
            if pages >= MOST_PAGES {
                let why = format!("a collection of more than {MOST_PAGES} pages");
                return Err(GraphError::unreadable(why, &trace));
            }
            pages = pages.saturating_add(1);
            (page, trace) = self.page_of(self.read_url(url).await?)?;
            items.append(&mut page.items);
        }
        Ok((items, trace))
    }

    pub(crate) async fn all(&self, target: &Target) -> Result<(Vec<Value>, Trace), GraphError> {
        self.rest(self.read(target).await?).await
    }

    fn page_of(&self, document: Document) -> Result<(Page<Value>, Trace), GraphError> {
        let Opened { items, around, trace } = Opened::read(document)?;
        let next = match around.get("@odata.nextLink") {
            None | Some(Value::Null) => None,
            Some(link) => Some(self.link(link, &trace)?),
        };
        Ok((Page { items, next }, trace))
    }

    fn link(&self, link: &Value, trace: &Trace) -> Result<PageLink, GraphError> {
        let url = link.as_str().and_then(|text| Url::parse(text).ok());
        let ours = url.filter(|url| self.endpoints().holds(url));
        ours.map(PageLink).ok_or_else(|| {
            GraphError::unreadable("its next link does not lead to Graph: not followed", trace)
        })
    }
}

/// The list of a page, and what stands around it: links.
pub(crate) struct Opened {
    pub(crate) items: Vec<Value>,
    pub(crate) around: Map<String, Value>,
    pub(crate) trace: Trace,
}

impl Opened {
    pub(crate) fn read(document: Document) -> Result<Self, GraphError> {
        let Document { value, trace } = document;
        let not_a_page = || GraphError::unreadable("it has no list of values", &trace);
        let Value::Object(mut around) = value else {
            return Err(not_a_page());
        };
        let Some(Value::Array(items)) = around.remove("value") else {
            return Err(not_a_page());
        };
        Ok(Self { items, around, trace })
    }
}

/// As [`each`], and the error says where in the list that item stands.
pub(crate) fn each_in_its_place<T>(
    items: &[Value],
    trace: &Trace,
    read: impl Fn(&Map<String, Value>) -> Result<T, String>,
) -> Result<Vec<T>, GraphError> {
    let read = |(at, item): (usize, &Value)| {
        let object = item.as_object().ok_or_else(|| "it is not an object".to_owned());
        object.and_then(&read).map_err(|why| GraphError::unreadable(format!("`value[{at}]`: {why}"), trace))
    };
    items.iter().enumerate().map(read).collect()
}

/// Reads each item, or names the first that cannot be read.
pub(crate) fn each<T>(
    items: &[Value],
    trace: &Trace,
    read: impl Fn(&Value) -> Result<T, String>,
) -> Result<Vec<T>, GraphError> {
    items.iter().map(read).collect::<Result<_, _>>().map_err(|why| GraphError::unreadable(why, trace))
}

/// A directory object of whatever type, as collections of mixed types hold them.
pub(crate) struct Entry<'a> {
    pub(crate) id: ObjectId,
    /// `group` of `#microsoft.graph.group`, in lower case.
    pub(crate) kind: Option<String>,
    pub(crate) fields: &'a Map<String, Value>,
}

impl<'a> Entry<'a> {
    pub(crate) fn read(value: &'a Value) -> Result<Self, String> {
        let fields = value.as_object().ok_or("an item is not an object")?;
        let id = loose::text(fields, "id").and_then(|id| id.parse().ok());
        let id = id.ok_or("an item has no id that is a GUID")?;
        Ok(Self { id, kind: loose::kind(fields), fields })
    }
}
