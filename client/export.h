/*
 * annals export: histories as JSON Lines, which annals import reads.
 *
 *   {"executionArn":"…","stateMachineArn":"…","mapRunArn":"…","itemCount":3,"traceHeader":"…"}
 *   {"timestamp":1525283875.58,"type":"ExecutionStarted","id":1,…}
 *   …
 *   {"executionArn":"…","lastEventId":42}
 *
 * For each execution: a line that tells its ARN and what its first append told, left out where that
 * is nothing; its events in AWS JSON, with timestamps in full (aws_json.h); and a line that says
 * that it is whole. Several exports, one behind the other, are one.
 */
#ifndef ANNALS_CLIENT_EXPORT_H_
#define ANNALS_CLIENT_EXPORT_H_

#include "client/cli.h"

G_BEGIN_DECLS

/* Runs the command; argv[0] is its name. Returns an enum annals_exit. */
int annals_export_run(struct annals_cli *cli, char *const *argv);

G_END_DECLS

#endif
