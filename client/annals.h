/*
 * The C client of Annals: appends events to histories, one append after the other
 * (annals_append.h) or many at a time (annals_append_stream.h), reads them back, page by page,
 * follows them (annals_watch.h), describes, lists and deletes executions (annals_execution.h), asks
 * how the server is (annals_health.h) and what operators ask (annals_admin.h).
 *
 * Floor 2. Everything that a program needs is in this header; gRPC does not show through.
 *
 *   struct annals_client *client = annals_client_open(NULL, &error);
 *   struct annals_client_page_request request = {.execution_arn = arn};
 *   struct annals_client_pager *pager = annals_client_pager_new(client, &request);
 *   const Annals__V1__HistoryEvent *event;
 *   while (annals_client_pager_next_event(pager, &event, &error) && event != NULL) { ... }
 *
 * Threads: a client may be used by any number of threads at once; each call blocks its caller until
 *   the answer or the deadline. What is made from it (a page, a pager, a
 *   watch, an append stream) belongs to one thread at a time, and may move to another. The client
 * makes no threads but gRPC's. A program that forks does so before it opens its first client.
 * Retries: what is safe to repeat (reads, and appends, which are known by their ids) is repeated
 *   where that may help, after a delay that grows and is never the same twice, or that the server
 *   asks for; within the call's timeout. annals_options.h has the limits.
 * TLS: a server that does not prove to be the one asked for, or that does not accept the client's
 *   certificate, shows as UNAVAILABLE; who is not known or allowed gets UNAUTHENTICATED or
 *   PERMISSION_DENIED.
 * Errors: every function that can fail returns false or NULL, sets a GError of domain
 *   ANNALS_CLIENT_ERROR and leaves its results alone; annals_error.h tells what can be asked of it.
 * Memory: strings and events handed in are the caller's and are only read during the call.
 */
#ifndef ANNALS_CLIENT_ANNALS_H_
#define ANNALS_CLIENT_ANNALS_H_

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "annals/v1/history_event.pb-c.h"
#include "client/annals_admin.h"
#include "client/annals_append.h"
#include "client/annals_append_stream.h"
#include "client/annals_error.h"
#include "client/annals_execution.h"
#include "client/annals_health.h"
#include "client/annals_options.h"
#include "client/annals_watch.h"

G_BEGIN_DECLS

/* ------------------------------------------------------------------------------------ Client */

struct annals_client;

/*
 * Makes a client. options may be NULL. Does not wait for a connection: that is made by the first
 * call, kept, and made again when it broke. Proxies that the environment names are not used.
 *
 * Errors: INVALID_ARGUMENT for an endpoint that is not HOST:PORT, files that cannot be read or are
 *   not PEM, a certificate without key or the other way round, and a token that would go to another
 *   machine without TLS.
 * Cost: some milliseconds the first time; open once and keep it.
 */
G_GNUC_WARN_UNUSED_RESULT
struct annals_client *annals_client_open(const struct annals_client_options *options,
                                         GError **error);

/* Closes the connection. No call may be running; pages may live on. NULL is fine. */
void annals_client_close(struct annals_client *client);

/* -------------------------------------------------------------------------------------- Pages */

/* Which page to read. All zero but the ARN: the first 100 events. */
struct annals_client_page_request {
  const char *execution_arn;
  int32_t max_results;         /* 0 to 1,000; 0: 100 */
  const char *next_token;      /* of the page before; NULL or "": the first page */
  bool reverse_order;          /* newest first */
  bool without_execution_data; /* no inputs, outputs, parameters and variables */
};

struct annals_client_page;

/*
 * Reads one page. It may hold fewer events than asked for and still have a next one, as pages are
 * limited in bytes too.
 *
 * Memory: the caller frees *ret_page with annals_client_page_free().
 * Errors: EXECUTION_DOES_NOT_EXIST, INVALID_ARN, INVALID_REQUEST, INVALID_TOKEN, DATA_CORRUPTED,
 *   OVERLOADED, DRAINING, INTERNAL.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_client_read_page(struct annals_client *client,
                             const struct annals_client_page_request *request,
                             struct annals_client_page **ret_page, GError **error);

void annals_client_page_free(struct annals_client_page *page);

size_t annals_client_page_event_count(const struct annals_client_page *page);

/* Gives an event as the server sent it: canonical bytes. A view that lives as long as the page. */
struct annals_client_event annals_client_page_event_bytes(const struct annals_client_page *page,
                                                          size_t index);

/*
 * Gives an event as a structure, unpacked when it is first asked for.
 *
 * Memory: belongs to the page.
 * Errors: NULL and INTERNAL when the server sent something that is no event.
 */
G_GNUC_WARN_UNUSED_RESULT
const Annals__V1__HistoryEvent *annals_client_page_event(struct annals_client_page *page,
                                                         size_t index, GError **error);

/* Gives what asks for the next page; "" on the last one. Belongs to the page. */
const char *annals_client_page_next_token(const struct annals_client_page *page);

/* ------------------------------------------------------------------------------------ Iterate */

struct annals_client_pager;

/*
 * Makes an iterator over the pages of a history, beginning with the one that request asks for.
 * Reads nothing yet. request is copied.
 *
 * Memory: the client must outlive the pager; the caller frees it with annals_client_pager_free().
 */
G_GNUC_WARN_UNUSED_RESULT
struct annals_client_pager *annals_client_pager_new(
    struct annals_client *client, const struct annals_client_page_request *request);
void annals_client_pager_free(struct annals_client_pager *pager);

/*
 * Reads the next page; *ret_page is NULL when there is none left. After a failure, calling again
 * asks for the same page again.
 *
 * Memory: *ret_page belongs to the pager and lives until its next call: one page is held at a time.
 * Errors: as annals_client_read_page().
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_client_pager_next(struct annals_client_pager *pager,
                              struct annals_client_page **ret_page, GError **error);

/*
 * Gives the next event, reading a page where needed; *ret_event is NULL at the end. Not to be mixed
 * with annals_client_pager_next().
 *
 * Memory: *ret_event belongs to the pager and lives until its next call.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_client_pager_next_event(struct annals_client_pager *pager,
                                    const Annals__V1__HistoryEvent **ret_event, GError **error);

G_END_DECLS

#endif
