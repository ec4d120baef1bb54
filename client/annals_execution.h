/*
 * Describing one execution, listing many, and deleting. Part of annals.h, which includes it; what
 * that header says of threads, errors and memory holds here.
 */
#ifndef ANNALS_CLIENT_ANNALS_EXECUTION_H_
#define ANNALS_CLIENT_ANNALS_EXECUTION_H_

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "annals/v1/history_service.pb-c.h"

G_BEGIN_DECLS

struct annals_client;

/* A view of a message as the server sent it: canonical bytes. */
struct annals_client_bytes {
  const uint8_t *data;
  size_t size;
};

/* ----------------------------------------------------------------------------------- Describe */

struct annals_client_describe_request {
  const char *execution_arn;
  bool metadata_only; /* no input, output, error and cause */
};

struct annals_client_description;

/*
 * Describes an execution.
 *
 * Memory: the caller frees *ret_description with annals_client_description_free().
 * Errors: EXECUTION_DOES_NOT_EXIST, INVALID_ARN, INVALID_REQUEST, DATA_CORRUPTED, OVERLOADED,
 *   DRAINING, INTERNAL.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_client_describe(struct annals_client *client,
                            const struct annals_client_describe_request *request,
                            struct annals_client_description **ret_description, GError **error);

void annals_client_description_free(struct annals_client_description *description);

/* Give the description as a structure, and as a DescribeExecutionResponse's bytes. Both live as
 * long as the description. */
const Annals__V1__DescribeExecutionResponse *annals_client_description_message(
    const struct annals_client_description *description);
struct annals_client_bytes annals_client_description_bytes(
    const struct annals_client_description *description);

/* --------------------------------------------------------------------------------------- List */

/* Which page to read. All zero but one of the ARNs: the first 100 executions. */
struct annals_client_list_request {
  /* One of the two is set. */
  const char *state_machine_arn; /* or that of a version or an alias */
  const char *map_run_arn;
  Annals__V1__ExecutionStatus status_filter;         /* 0: all */
  Annals__V1__ExecutionRedriveFilter redrive_filter; /* 0: all */
  int32_t max_results;                               /* 0 to 1,000; 0: 100 */
  const char *next_token; /* of the page before; NULL or "": the first page */
};

struct annals_client_listing;

/*
 * Reads one page of executions, those that started last first. It may hold fewer than asked for and
 * still have a next one.
 *
 * Memory: the caller frees *ret_listing with annals_client_listing_free().
 * Errors: INVALID_ARN, INVALID_REQUEST, INVALID_TOKEN, DATA_CORRUPTED, OVERLOADED, DRAINING,
 *   INTERNAL. A state machine or map run of which nothing is known has no executions.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_client_list(struct annals_client *client,
                        const struct annals_client_list_request *request,
                        struct annals_client_listing **ret_listing, GError **error);

void annals_client_listing_free(struct annals_client_listing *listing);

size_t annals_client_listing_execution_count(const struct annals_client_listing *listing);

/* Gives an execution as an ExecutionListItem's bytes, which live as long as the listing. */
struct annals_client_bytes annals_client_listing_execution_bytes(
    const struct annals_client_listing *listing, size_t index);

/*
 * Gives an execution as a structure, unpacked when it is first asked for.
 *
 * Memory: belongs to the listing.
 * Errors: NULL and INTERNAL when the server sent something else.
 */
G_GNUC_WARN_UNUSED_RESULT
const Annals__V1__ExecutionListItem *annals_client_listing_execution(
    struct annals_client_listing *listing, size_t index, GError **error);

/* Gives what asks for the next page; "" on the last one. Belongs to the listing. */
const char *annals_client_listing_next_token(const struct annals_client_listing *listing);

/* ------------------------------------------------------------------------------------ Iterate */

struct annals_client_lister;

/*
 * Makes an iterator over executions, beginning with the page that request asks for. Reads nothing
 * yet. request is copied.
 *
 * Memory: the client must outlive the lister; the caller frees it with annals_client_lister_free().
 */
G_GNUC_WARN_UNUSED_RESULT
struct annals_client_lister *annals_client_lister_new(
    struct annals_client *client, const struct annals_client_list_request *request);
void annals_client_lister_free(struct annals_client_lister *lister);

/*
 * Reads the next page; *ret_listing is NULL when there is none left. After a failure, calling again
 * asks for the same page again.
 *
 * Memory: *ret_listing belongs to the lister and lives until its next call.
 * Errors: as annals_client_list().
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_client_lister_next(struct annals_client_lister *lister,
                               struct annals_client_listing **ret_listing, GError **error);

/*
 * Gives the next execution, reading a page where needed; *ret_execution is NULL at the end. Not to
 * be mixed with annals_client_lister_next().
 *
 * Memory: *ret_execution belongs to the lister and lives until its next call.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_client_lister_next_execution(struct annals_client_lister *lister,
                                         const Annals__V1__ExecutionListItem **ret_execution,
                                         GError **error);

/* ------------------------------------------------------------------------------------- Delete */

/*
 * Deletes an execution and its history. It is not repeated when it fails.
 *
 * Errors: EXECUTION_DOES_NOT_EXIST, INVALID_ARN, NO_SPACE, WRITES_STOPPED, OUTCOME_UNKNOWN,
 *   OVERLOADED, DRAINING, INTERNAL. After a deadline or a broken connection it is unknown whether
 *   the execution is deleted.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_client_delete(struct annals_client *client, const char *execution_arn, GError **error);

G_END_DECLS

#endif
