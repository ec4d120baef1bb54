/*
 * How runs become a page: which events are in it, and in which form.
 *
 * Floor 2, private to page.c. A run that is kept (shared_frames.h) is taken in the page's form in
 * one piece, where somebody has made that of it: the second page that has events of the run does,
 * for all that come later. Any other run is taken event by event. Whatever was kept, each page is
 * the same as without, but that it may have events of more data keys than a decryptor holds.
 *
 * What was decrypted is kept no longer than the data key is, and is only for those who have the key
 * then.
 */
#ifndef ANNALS_SERVER_HISTORY_PAGE_RUNS_H_
#define ANNALS_SERVER_HISTORY_PAGE_RUNS_H_

#include "server/history/page.h"

G_BEGIN_DECLS

/* Puts what is wanted of a run into the page that owns the read; returns whether more may follow.
 * Where it does not say so: page->more, damaged, abandoned, events.failed, or the decryptor's need
 * of a key. */
bool annals_page_take_run(struct annals_store_read *read, const struct annals_run *run);

/* Lets go of the events that the page has. */
void annals_page_drop_events(struct annals_page *page);

G_END_DECLS

#endif
