/*
 * What has become of flushes and compactions, which nobody waits for.
 *
 * RocksDB counts their failures and lets no write through until it is opened again. A disk that was
 * full is forgiven: it looks for room every 5 seconds, writes anew what failed, and goes on. Which
 * of the two it is only a write can tell, so one of nothing is tried.
 */
#ifndef ANNALS_STORAGE_ROCKSDB_BACKGROUND_H_
#define ANNALS_STORAGE_ROCKSDB_BACKGROUND_H_

#include "storage/rocksdb/engine.h"

G_BEGIN_DECLS

enum annals_background {
  ANNALS_BACKGROUND_WELL,
  ANNALS_BACKGROUND_WAITS_FOR_ROOM, /* writes are refused meanwhile */
  ANNALS_BACKGROUND_FAILED,         /* writes are, until a restart */
};

/* Looks. Notes the table that is to blame, if one is (damage.h). Threads: any. Cost: a counter as
 * long as nothing has failed. */
enum annals_background annals_background_look(struct annals_engine *engine);

G_END_DECLS

#endif
