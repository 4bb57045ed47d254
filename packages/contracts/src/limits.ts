/**
 * Every bound of the platform in one place. A queue, body, batch, retry or wait that is not listed here is a defect.
 * Sizes in bytes, times in the unit the name ends in.
 */
export const limits = {
  // Requests
  bodyBytesMax: 1_048_576,
  batchBodyBytesMax: 8_388_608,
  jsonDepthMax: 16,
  requestTimeoutMs: 15_000,
  connectionTimeoutMs: 15_000,
  headersTimeoutMs: 10_000,
  /** How long the rest of a body that was refused is read and thrown away. */
  refusedBodyTimeoutMs: 2_000,
  keepAliveTimeoutMs: 72_000,
  urlBytesMax: 16_384,
  headerBytesMax: 49_152,
  // Below connectionTimeoutMs: the answer comes before the socket is cut.
  handlerTimeoutMs: 12_000,
  timeoutCheckIntervalMs: 1_000,
  requestIdCharsMax: 128,
  /** Lines about refused requests (503) of one process; the others are only counted. */
  failureLogLinesPerSecond: 50,

  // Assignments
  userIdCharsMax: 256,
  contextKeysMax: 64,
  contextKeyCharsMax: 128,
  contextStringCharsMax: 256,
  assignmentTtlSecondsMax: 315_360_000,
  assignmentTtlSecondsDefault: 86_400,
  stickyCacheEntriesMax: 1_000_000,
  inProcessCacheEntriesMax: 100_000,
  cacheTimeoutMs: 8,
  /** As arbiter while the database is away: a late answer is better than a second one. */
  cacheClaimTimeoutMs: 250,
  /** Sent to the shared cache and not answered yet, whether or not anybody still waits; past it nothing is sent. */
  cacheReadsInFlightMax: 10_000,
  cacheWritesInFlightMax: 10_000,
  /** Time-outs or failures in a row, each sent after the one before had failed, that open a node's breaker. */
  cacheFailuresInARowMax: 5,
  /** And for so long: without the cache, and with the database away too, processes no longer agree about a known user. */
  cacheFailuresWindowMs: 250,
  cacheConnectTimeoutMs: 1_000,
  /** A command nobody waits for any more; each step of the handshake with a slow Redis too. */
  cacheCommandTimeoutMs: 1_000,
  /** Commands were sent and nothing arrived for this long: a new connection is made. */
  cacheSocketTimeoutMs: 2_000,
  cacheKeepAliveMs: 5_000,
  cacheReconnectDelayMsMax: 500,
  cacheRedirectionsMax: 3,
  cacheSlotsRefreshIntervalMs: 2_000,
  cacheCloseTimeoutMs: 100,

  // Events
  eventItemBytesMax: 24_576,
  metadataBytesMax: 16_384,
  eventIdCharsMax: 128,
  valueAbsMax: 1e12,
  eventBatchItemsMax: 1_000,
  eventListLimitDefault: 100,
  eventListLimitMax: 1_000,
  eventListOffsetMax: 1_000_000,

  // Experiments and funnels
  nameCharsMax: 200,
  descriptionCharsMax: 4_000,
  contentCharsMax: 65_536,
  treatmentsLiveMax: 50,
  treatmentWeightMax: 1e6,
  funnelExperimentsMax: 50,
  experimentsListMax: 10_000,
  funnelsListMax: 10_000,
  dueExperimentsPerPollMax: 100,
  unknownOutcomeRetriesMax: 5,
  resultsLogTrialsMax: 200_000,
  resultsQueueMax: 100,
  resultsTimeoutMs: 10_000,
  attributionWindowSecondsMax: 2_592_000,

  // Credentials
  apiKeyCharsMax: 256,
  apiKeysPerCompanyMax: 1_000,
  membersPerCompanyMax: 1_000,
  unknownKeyCacheEntriesMax: 10_000,
  unknownKeyCacheTtlMs: 5_000,
  keyLastUsedIntervalMs: 60_000,
  keyLookupsInFlightMax: 16,
  keyLookupTimeoutMs: 1_000,
  sessionCookieChunksMax: 10,
  sessionTokenBytesMax: 16_384,
  emailCharsMax: 320,

  // Group commit
  groupCommitRowsMax: 500,
  groupCommitQueueMax: 20_000,
  groupCommitInFlightMax: 2,
  groupCommitRetriesMax: 5,
  acceptRetryDelayMs: 25,
  acceptRetryWindowMs: 4_000,

  // Stores
  databaseConnectTimeoutMs: 5_000,
  databaseStatementTimeoutMs: 10_000,
  assignmentCommitTimeoutMs: 250,
  // One process and its own database: there is nobody to answer instead of it.
  embeddedCommitTimeoutMs: 10_000,
  slowCommitsInARowMax: 5,
  /** Commits must have been slow for this long as well: a checkpoint's stall is no reason to leave the database. */
  slowCommitsWindowMs: 1_000,
  assignmentAttemptsMax: 5,
  unrecordedAssignmentsMax: 200_000,
  /** An answered assignment that nobody brought in for this long is recorded by whoever meets it, from its id. */
  adoptAssignmentAfterMs: 60_000,
  /** Assignments that made way one after another, each answered by a claim of its own. */
  claimAttemptsMax: 3,
  storeProbeIntervalMs: 500,
  /** A probe that hangs on a dead connection makes way for one on another. */
  storeProbeTimeoutMs: 2_500,
  /** Until every process must have found out that the database is back: a probe that hangs, and the next two. */
  databaseReturnMs: 5_000,
  databasePoolMax: 10,
  databaseIdleTimeoutMs: 60_000,
  databaseClientGraceMs: 1_000,
  databaseCloseTimeoutMs: 2_000,
  embeddedCloseTimeoutMs: 4_000,
  embeddedMessageBytesMax: 67_108_864,
  migrationTimeoutMs: 120_000,
  /** A start waits for its database so long between two tries, doubled up to the most. */
  databaseWaitMs: 100,
  databaseWaitMsMax: 1_000,
  /** Rotated MAC keys are read this often; a new one signs once every process must have read it. */
  macKeyPollMs: 10_000,
  macKeyKnownAfterMs: 60_000,
  refreshTimeoutMs: 600_000,

  // Bus
  inlineStateBytesMax: 262_144,
  busHandlerQueueMax: 10_000,
  busDuplicateIdsMax: 100_000,
  /** Records taken from the RECORDS stream at a time. */
  recordsPerDrainMax: 200,
  /** How long an answer waits for RECORDS to keep what the database could not take. */
  recordPutTimeoutMs: 15,
  /** Puts that failed in a row, after which answers no longer wait for RECORDS. */
  recordPutFailuresInARowMax: 3,
  /** And for so long: one stall of a busy machine fails all puts that run. */
  recordPutFailuresWindowMs: 250,
  recordPutsInFlightMax: 5_000,
  /** Beside the answers: rows that RECORDS did not take at first, so many at a time, each waiting so long. */
  recordPutsPerSweepMax: 32,
  recordSweepTimeoutMs: 1_000,
  /** One record: an assignment id and a context in its longest spelling. */
  recordBytesMax: 262_144,
  /** Before a broadcast is dropped: bytes that the NATS server has not confirmed to have read. */
  busUnconfirmedBytesMax: 33_554_432,
  busConfirmIntervalBytes: 1_048_576,
  busRespondersInFlightMax: 64,
  natsConnectTimeoutMs: 2_000,
  /** Between two attempts to connect; up to as much again is added by chance. */
  natsReconnectDelayMs: 250,
  /** A server that hangs is given up after as many unanswered pings, at the next one: 6 s. */
  natsPingIntervalMs: 2_000,
  natsPingsOutMax: 2,
  /** For one JetStream call: the acknowledgement of a message, a change of a stream. */
  natsCallTimeoutMs: 5_000,
  /** How long a new subscription waits for the server to know it. */
  natsSubscribeTimeoutMs: 1_000,
  natsCloseTimeoutMs: 2_000,
  eventsInFlightMax: 256,
  eventsStreamBytes: 1_073_741_824,
  eventsStreamAgeMs: 604_800_000,
  recordsStreamBytes: 1_073_741_824,
  streamDuplicateWindowMs: 120_000,
  recordsPerDrainBytesMax: 16_777_216,
  recordsPollMs: 500,
  recordsPullTimeoutMs: 1_500,
  /** A group whose consumer is silent for this long goes to another; a long handler says in between that it works. */
  recordsAckWaitMs: 8_000,
  recordsWorkingIntervalMs: 2_500,
  /** Records handed out and not yet acknowledged, over all consumers. */
  recordsAckPendingMax: 5_000,
  /** A group that was rejected comes again after this, doubled each time up to the other. */
  recordsRetryDelayMs: 500,
  recordsRetryDelayMsMax: 30_000,
  recordsWatchIntervalMs: 2_000,
  /** How long whoever finds no assignment waits to hear whether one is on its way. */
  recordsLookTimeoutMs: 250,
  /** After the database was last seen away or this slow, who cannot look expects assignments on their way: G5's 10 s, half more. */
  lateAssignmentsMs: 15_000,
  databaseSlowMs: 250,

  // Learner
  learnerPartitions: 16,
  learnerChunkFactsMax: 5_000,
  /** Facts of one contextual experiment folded at a stretch: the recorded chunk, so it never changes. */
  learnerSliceFactsMax: 64,
  learnerFoldsInFlightMax: 4,
  learnerRetryDelayMsMax: 5_000,
  learnerPublishEventsMax: 1_000,
  /** First look again at batches that an older transaction keeps back; doubled up to the poll. */
  learnerSettleDelayMs: 5,
  learnerTrainingQueueMax: 100,
  rebuildPageFactsMax: 20_000,
  rebuildCompareRowsMax: 5_000,
  /** Between two looks whether another learner's rebuild of the same experiment has ended. */
  rebuildTurnPollMs: 100,
  learnerPollMs: 250,
  /** Without a look of its owner, partitions go to another learner: it hangs. Well above the poll, for a busy machine. */
  learnerSilenceMsMax: 2_000,
  /** Between two counts of what the EVENTS stream does not have yet, and commits of a partition counted. */
  learnerUnpublishedLookMs: 2_000,
  learnerUnpublishedBatchesMax: 2_000,
  learnerStateIntervalMs: 250,
  learnerCachedStatesMax: 2_000,
  learnerCachedBytesMax: 268_435_456,
  trainingTimeoutMs: 60_000,

  // Snapshots of configuration and state
  configPollMs: 1_000,
  confirmTimeoutMs: 500,
  configLoadTimeoutMs: 10_000,
  companiesPerLoadMax: 1_000,
  statePollMs: 2_000,
  statePollOverlapMs: 60_000,
  stateLoadTimeoutMs: 250,
  eagerServingBytesMax: 16_384,
  hotStateBytesMax: 1_073_741_824,
  schedulerPollMs: 500,
  /** Monthly partitions of assignments and events that are made before they are needed. */
  factPartitionMonthsAhead: 2,
  /** Rows in one step of retention: learning waits for whoever writes, about 100 ms on two busy cores. */
  retentionPageRowsMax: 2_000,
  /** Facts are kept a day longer than told, so that no process takes an event on one that is going. */
  retentionSlackMs: 86_400_000,
  retentionIntervalMs: 3_600_000,
  retentionTriesMax: 5,
  retentionRetryDelayMs: 1_000,

  /** Tombstones of erased users that an assignment process holds, the latest of all companies; about 150 bytes each. */
  erasedSubjectsHeldMax: 100_000,
  /** Users looked at between two pauses, when those that were erased leave a process's memory. */
  erasedSliceUsersMax: 2_000,
  /** Rows of a user that one transaction of an erasure changes; each keeps learning waiting. */
  erasurePageRowsMax: 2_000,
  /** Treatments whose client-made identities one transaction of an erasure looks for. */
  erasureTreatmentsPerPageMax: 500,
  /** Experiments named in one message about an erased user. */
  erasedExperimentsPerMessageMax: 1_000,
  /** How long an erasure waits for what was being written or learned, before it asks to be asked again. */
  erasureWaitMs: 10_000,
  erasurePollMs: 25,

  // AI variants
  aiTimeoutMs: 20_000,
  aiAnswerBytesMax: 1_048_576,
  aiRetriesMax: 1,
  aiRetryDelayMs: 500,
  /** A claim older than this belongs to a dead process: longer than any call can take. */
  aiRequestStaleMs: 40_000,
  aiConnectionsMax: 16,
  aiPromptContentCharsMax: 60_000,
  aiStrategyOutcomesMax: 1_000,

  // Shutdown
  shutdownTimeoutMs: 4_500,
  /** Log lines that wait for whoever reads stdout; past it they are dropped. */
  logBacklogBytesMax: 1_048_576,
  /** How long clients on open connections get to hear `connection: close` before idle ones are cut. */
  drainTimeoutMs: 300,

  // Overload
  retryAfterSeconds: 1,
  rateLimitPerKeyPerSecond: 50_000,
  rateLimitBucketsMax: 10_000,
  eventLoopDelayMsMax: 1_000,

  // Health
  healthCheckTimeoutMs: 1_000,

  // Gateway
  /** Bodies up to here are taken whole before an instance is chosen; larger ones stream through. */
  gatewayHeldBodyBytesMax: 65_536,
  gatewayInFlightPerInstanceMax: 2_048,
  gatewayConnectionsPerInstance: 256,
  gatewayConnectTimeoutMs: 1_000,
  /** Below the instances' keepAliveTimeoutMs: the gateway lets go first, so no request meets a closed socket. */
  gatewayKeepAliveTimeoutMs: 30_000,
  /** What the gateway waits longer than the instance itself, whose own answer says more. */
  gatewayDeadlineSlackMs: 1_000,
  gatewayMetricsBytesMax: 8_388_608,
  gatewayDocumentBytesMax: 8_388_608,
  gatewayDocumentAgeMs: 5_000,

  // Fleet
  instancesPerServiceMax: 64,
  instanceBackoffMinMs: 100,
  instanceBackoffMaxMs: 5_000,
  /** An instance that lived this long starts its backoff anew. */
  instanceSteadyMs: 10_000,
  instanceStopTimeoutMs: 5_000,
  instanceDrainTimeoutMs: 5_000,
  instanceReadyTimeoutMs: 60_000,
  instancePollMs: 500,
  instancePollStartingMs: 50,
  /** Above healthCheckTimeoutMs: the process answers for its slowest part first. */
  instancePollTimeoutMs: 2_000,
  /** Polls without any answer until an instance counts as late. */
  instancePollsMissedMax: 2,
  instanceLogLineCharsMax: 65_536,
} as const;
