"""Components once per stack: network policies, priority class, admission policy, watcher."""
