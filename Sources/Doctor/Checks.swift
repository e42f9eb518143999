/// Compares a host with what a configuration asks of it. Nothing here reads anything: facts go in, sentences come out.
public enum Checks {
    /// All findings, in the order in which they are worth reading.
    /// - Parameters:
    ///   - version: the version of this program, which the daemon's should equal.
    ///   - expectsDaemon: whether a daemon should run; it need not on a host that is only being prepared.
    public static func all(_ needs: Needs, _ facts: HostFacts, version: String, expectsDaemon: Bool = true) -> [Finding] {
        daemon(facts, version: version, expectsDaemon) + drivers(needs, facts) + hugepages(needs, facts) + cpus(needs, facts) + devices(needs, facts) + taps(needs, facts)
            + privileges(needs, facts) + libvirt(needs, facts)
    }

    // MARK: The daemon

    static func daemon(_ facts: HostFacts, version: String, _ expectsDaemon: Bool) -> [Finding] {
        switch facts.daemon {
        case .running(version): [Finding(.fine, "daemon", "sluiced \(version) runs")]
        case .running(let other):
            [Finding(.wrong, "daemon", "sluiced is of version \(other), and sluice of version \(version)", remedy: "systemctl restart sluiced")]
        case .absent(let reason): [Finding(expectsDaemon ? .wrong : .advice, "daemon", "no daemon runs: \(reason)", remedy: "systemctl start sluiced")]
        }
    }

    static func drivers(_ needs: Needs, _ facts: HostFacts) -> [Finding] {
        guard let installed = facts.drivers else {
            return [Finding(.wrong, "drivers", "DPDK's drivers are not installed", remedy: "apt-get install librte-meta-net librte-meta-bus librte-meta-mempool")]
        }
        let missing = needs.drivers.subtracting(installed).sorted()
        guard !missing.isEmpty else { return [Finding(.fine, "drivers", "all of DPDK's drivers that the configuration uses are installed")] }
        // Debian's names end with the version of DPDK's interface, which a hyphen sets apart from a digit.
        let packages = missing.map { "librte-\(String($0.map { $0 == "_" ? "-" : $0 }))\($0.last?.isNumber == true ? "-" : "")23" }.joined(separator: " ")
        return [Finding(.wrong, "drivers", "DPDK's drivers \(missing.joined(separator: ", ")) are not installed", remedy: "apt-get install \(packages)")]
    }

    // MARK: Memory

    static func hugepages(_ needs: Needs, _ facts: HostFacts) -> [Finding] {
        guard needs.memory > 0 else { return [Finding(.advice, "hugepages", "daemon.hugepages is off: the switch is slower than it could be")] }
        // A daemon that runs has taken its pages already.
        if case .running = facts.daemon { return [Finding(.fine, "hugepages", "the daemon has the hugepages that it needs")] }
        let nodes = Set(loops(needs, facts).map { facts.cpus[$0]?.node ?? 0 }).sorted()
        return (nodes.isEmpty ? [0] : nodes).map { node in
            let pools = facts.hugepages.filter { $0.node == node }
            let free = pools.reduce(0) { $0 + $1.free * $1.size }
            guard let pool = pools.first(where: { $0.total > 0 }) ?? pools.first(where: { $0.size == 2 << 20 }) ?? pools.first else {
                return Finding(.wrong, "hugepages", "this kernel has no hugepages", remedy: "write daemon: {hugepages: false}, which is slower, or boot another kernel")
            }
            let place = facts.hugepages.contains { $0.node != node } ? " on NUMA node \(node)" : ""
            guard free < needs.memory else { return Finding(.fine, "hugepages", "\(mebibytes(free)) are free\(place), \(mebibytes(needs.memory)) are needed") }
            let total = pool.total + (needs.memory - free + pool.size - 1) / pool.size
            let sentence = pools.allSatisfy { $0.total == 0 }
                ? "there are no hugepages\(place), and the daemon needs \(mebibytes(needs.memory))"
                : "only \(mebibytes(free)) of hugepages are free\(place), and the daemon needs \(mebibytes(needs.memory))"
            return Finding(.wrong, "hugepages", sentence, remedy: "echo \(total) > \(pool.folder)/nr_hugepages   (sluice-prepare-host keeps it over a restart of the host)")
        }
    }

    private static func mebibytes(_ bytes: UInt64) -> String { "\((bytes + 1 << 20 - 1) >> 20) MiB" }

    // MARK: CPUs

    /// The CPUs of the poll loops.
    static func loops(_ needs: Needs, _ facts: HostFacts) -> [Int] {
        if !needs.cpus.isEmpty { return needs.cpus }
        let all = facts.cpus.keys.sorted()
        return all.count > 1 ? Array(all.dropFirst()) : all
    }

    static func cpus(_ needs: Needs, _ facts: HostFacts) -> [Finding] {
        if facts.cpus.isEmpty { return [] }
        let loops = loops(needs, facts)
        let missing = loops.filter { facts.cpus[$0] == nil }
        guard missing.isEmpty else {
            return [Finding(.wrong, "CPUs", "daemon.cpus names \(list(missing)), and this host has \(list(facts.cpus.keys.sorted()))", remedy: "correct daemon.cpus")]
        }
        var findings: [Finding] = []
        func advise(_ cpus: [Int], _ sentence: String, _ remedy: String) {
            if !cpus.isEmpty { findings.append(Finding(.advice, "CPUs", sentence, remedy: remedy)) }
        }
        if needs.cpus.isEmpty, facts.cpus.count > 2 {
            advise(loops, "daemon.cpus is not set, so poll loops run on \(list(loops)), and guests have to share those", "write daemon: {cpus: [...]} with those to be given to the switch alone")
        }
        let shared = loops.filter { !facts.isolated.contains($0) }
        let ticking = loops.filter { !facts.tickless.contains($0) }
        let line = "add isolcpus=\(list(loops)) nohz_full=\(list(loops)) to the kernel's command line (sluice-prepare-host --isolate \(list(loops)))"
        advise(shared, "other programs may run on \(list(shared)), which poll loops use", line)
        if shared.isEmpty { advise(ticking, "the kernel's tick interrupts poll loops on \(list(ticking))", line) }
        let slow = loops.filter { ![nil, "performance"].contains(facts.cpus[$0]?.governor) }
        advise(
            slow, "the frequency of \(list(slow)) follows the load (governor \(facts.cpus[slow.first ?? 0]?.governor ?? ""))",
            "for c in \(slow.map(String.init).joined(separator: " ")); do echo performance > /sys/devices/system/cpu/cpu$c/cpufreq/scaling_governor; done")
        let crowded = loops.filter { cpu in facts.cpus[cpu]!.siblings.contains { $0 != cpu && !loops.contains($0) && !facts.isolated.contains($0) } }
        advise(
            crowded, "poll loops on \(list(crowded)) share a core with CPUs that others use (hyperthreads)",
            "leave those to nobody: isolcpus too, or echo off > /sys/devices/system/cpu/smt/control")
        let paired = loops.filter { cpu in facts.cpus[cpu]!.siblings.contains { $0 != cpu && loops.contains($0) } }
        advise(paired, "poll loops on \(list(paired)) share a core with each other (hyperthreads)", "name one CPU of each core in daemon.cpus")
        return findings.isEmpty ? [Finding(.fine, "CPUs", "poll loops have \(list(loops)) to themselves")] : findings
    }

    /// CPUs as the kernel writes them: 2-4,7.
    static func list(_ cpus: [Int]) -> String {
        var ranges: [ClosedRange<Int>] = []
        for cpu in cpus.sorted() {
            if let last = ranges.last, last.upperBound + 1 == cpu { ranges[ranges.count - 1] = last.lowerBound...cpu } else { ranges.append(cpu...cpu) }
        }
        return ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }.joined(separator: ",")
    }
}
