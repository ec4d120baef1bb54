/*
 * Imports what 'annals export' wrote (export.h), line by line: memory is that of one append. Part
 * of the CLI.
 */
#ifndef ANNALS_CLIENT_IMPORT_EXPORT_H_
#define ANNALS_CLIENT_IMPORT_EXPORT_H_

#include "client/annals.h"
#include "client/source.h"
#include "proto/schema.h"

G_BEGIN_DECLS

/* What imports come to. */
struct annals_import_totals {
  size_t imported; /* histories of which something was new */
  size_t there;    /* histories that were there already */
  int64_t appended;
  int64_t already_stored;
  int64_t adjusted; /* timestamps */
};

struct annals_import_export {
  struct annals_client *client;
  const struct annals_schema *schema;
  struct annals_import_totals *totals;                   /* added to */
  const Annals__V1__EncryptionConfiguration *encryption; /* of what is created; NULL: as the server
                                                            has it */

  /* Told of an execution that is not imported in full: its first stored events are. arn NULL: of
   * what belongs to none. */
  void (*on_failure)(struct annals_import_export *import, const char *arn, int64_t stored,
                     const GError *error);
  /* Told after each append. */
  void (*on_progress)(struct annals_import_export *import);
  void *owner;
};

/* Tells whether a source begins as an export does. Errors: UNREADABLE. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_import_export_is_one(struct annals_source *source, bool *ret_is, GError **error);

/*
 * Imports all executions of a source. After one that fails it goes on with the next; a history of
 * at most one append is stored in full or not at all.
 */
void annals_import_export_run(struct annals_import_export *import, struct annals_source *source);

G_END_DECLS

#endif
