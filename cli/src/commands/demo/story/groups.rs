//! Guests join groups, and groups change while guests are in them.

use simulator::contoso::MARKETING;
use uuid::Uuid;

use super::super::act::Shown;
use super::super::ending::{At, Ends, Place};
use super::super::stage::Stage;
use super::invite;

pub(super) async fn joining(stage: &Stage, adele: Uuid, shown: &mut Vec<Shown>) -> anyhow::Result<()> {
    let tenant = stage.simulator.tenant();
    let what = "adele joins Marketing, an open group of her scenario";
    let there = [Place::member(adele, MARKETING)];
    let act = || Ok(tenant.add_member(MARKETING, adele)?);
    shown.push(stage.watch_group(what, MARKETING, (&there, Ends::LeftAlone), act).await?);
    let what = "alice makes adele an owner of Marketing";
    let owner = [Place { user: adele, at: At::Owner(MARKETING) }];
    let act = || Ok(tenant.add_owner(MARKETING, adele)?);
    shown.push(stage.watch_group(what, MARKETING, (&owner, Ends::Taken), act).await?);
    let book_club = stage.groups.book_club;
    let what = "adele joins the Book Club, which no scenario covers";
    let there = [Place::member(adele, book_club)];
    let act = || Ok(tenant.add_member(book_club, adele)?);
    shown.push(stage.watch_group(what, book_club, (&there, Ends::Taken), act).await?);
    let what = "finance's rule takes adele into Finance Readers, a dynamic group";
    let readers = stage.groups.finance_readers;
    let there = [Place::member(adele, readers)];
    let act = || Ok(tenant.add_member(readers, adele)?);
    shown.push(stage.watch_group(what, readers, (&there, Ends::Refused), act).await?);
    Ok(())
}

pub(super) async fn changing(stage: &Stage, adele: Uuid, shown: &mut Vec<Shown>) -> anyhow::Result<()> {
    let tenant = stage.simulator.tenant();
    let what = "alice invites max@fabrikam.com, of a partner";
    let (max, one) = invite(stage, "max@fabrikam.com", "Max", Ends::LeftAlone, what).await?;
    shown.push(one);
    let papers = stage.groups.board_papers;
    let both = [Place::member(adele, papers), Place::member(max, papers)];
    let what = "adele and max join Board Papers, of their scenario";
    let act = || {
        tenant.add_member(papers, adele)?;
        Ok(tenant.add_member(papers, max)?)
    };
    shown.push(stage.watch_group(what, papers, (&both, Ends::LeftAlone), act).await?);
    let what = "Board Papers is labelled Confidential, with both in it";
    let act = || Ok(tenant.set_label(papers, Some("Confidential"))?);
    shown.push(stage.watch_group(what, papers, (&both, Ends::Taken), act).await?);
    let numbers = stage.groups.quarterly_numbers;
    let there = [Place::member(max, numbers)];
    let what = "max joins Quarterly Numbers, of his scenario";
    let act = || Ok(tenant.add_member(numbers, max)?);
    shown.push(stage.watch_group(what, numbers, (&there, Ends::LeftAlone), act).await?);
    let what = "Quarterly Numbers is renamed to Finance Numbers";
    let act = || Ok(tenant.rename_group(numbers, "Finance Numbers")?);
    shown.push(stage.watch_group(what, numbers, (&there, Ends::Taken), act).await?);
    Ok(())
}
