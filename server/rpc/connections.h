/*
 * How many connections clients have open.
 *
 * Floor 3, private to server/rpc.
 */
#ifndef ANNALS_SERVER_RPC_CONNECTIONS_H_
#define ANNALS_SERVER_RPC_CONNECTIONS_H_

#include <stddef.h>

/*
 * Counts the connections of all servers of the process, of which there is one outside of tests.
 *
 * The core tells nobody of connections; its channelz lists them.
 * Threads: any. Cost: some microseconds for each connection.
 */
size_t annals_rpc_connections_count(void);

#endif
