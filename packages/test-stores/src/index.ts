/** Own instances of the real stores on free ports, for tests that stop and kill them. */
export {};
