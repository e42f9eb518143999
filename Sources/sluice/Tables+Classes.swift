import Configuration
import ControlAPI
import Diagnosis

extension Tables {
    /// The classes in the manner of `tc -s class show`, each on several lines.
    package static func classes(_ classes: [ClassStatus]) -> String { classes.map(one).joined(separator: "\n") }

    private static func one(_ item: ClassStatus) -> String {
        var head = "class \(item.tree) \(item.direction) 1:\(String(item.id, radix: 16))"
        if let parent = item.parent { head += " parent 1:\(String(parent, radix: 16))" } else { head += " root" }
        if !item.path.isEmpty { head += " \(item.path)" }
        if item.leaf { head += " leaf" }
        return ([head, settings(item)] + (item.note.map { [" note: \($0)"] } ?? []) + [sent(item)] + counters(item)).joined(separator: "\n")
    }

    private static func settings(_ item: ClassStatus) -> String {
        var words: [String] = []
        func add(_ name: String, _ value: String?) { if let value { words.append("\(name) \(value)") } }
        add("floor", item.floor.map(Quantity.rate.format) ?? "none")
        add("ceiling", item.ceiling.map(Quantity.rate.format) ?? "none")
        add("burst", Quantity.size.format(item.burst))
        add("ceiling-burst", Quantity.size.format(item.ceilingBurst))
        add("peak", item.peak.map(Quantity.rate.format))
        add("floor-packets", item.floorPackets.map(Quantity.packets.format))
        add("ceiling-packets", item.ceilingPackets.map(Quantity.packets.format))
        add("priority", String(item.priority))
        add("quantum", Quantity.size.format(UInt64(item.quantum)))
        if item.leaf {
            add("limit", "\(item.limit)p")
            add("limit-bytes", item.limitBytes.map { Quantity.size.format(UInt64(max(0, $0))) })
            if let delay = item.limitDelayMicroseconds, let bytes = item.limitDelayBytes {
                add("limit-delay", "\(Quantity.delay.format(delay)) (\(Quantity.size.format(UInt64(max(0, bytes)))))")
            }
            if let target = item.codelTargetMicroseconds, let interval = item.codelIntervalMicroseconds {
                add("queue", "\(item.newFlows == nil ? "codel" : "fq-codel") target \(Quantity.delay.format(target)) interval \(Quantity.delay.format(interval))")
            }
            add("ecn", item.ecn.map { $0 ? "on" : "off" })
            add("ecn-threshold", item.ecnThresholdBytes.map { Quantity.size.format(UInt64(max(0, $0))) })
            add("ecn-delay", item.ecnDelayMicroseconds.map(Quantity.delay.format))
        }
        if let port = item.port { add("port", port) }
        return " " + words.joined(separator: " ")
    }

    private static func sent(_ item: ClassStatus) -> String {
        " Sent \(item.sent.bytes) bytes \(item.sent.frames) pkt (dropped \(item.dropped.frames), overlimits \(item.overlimits))"
    }

    private static func counters(_ item: ClassStatus) -> [String] {
        var lines = [
            " rate \(rate(item.rate)) \(packets(item.packetRate)) backlog \(item.backlog.bytes)b \(item.backlog.frames)p",
            " lended \(item.lends) borrowed \(item.borrows) (\(item.borrowedBytes) bytes) tokens \(item.tokens) ctokens \(item.ctokens)",
        ]
        if let new = item.newFlows, let old = item.oldFlows { lines.append(" flows \(new + old) (new \(new) old \(old))") }
        if let delay = item.delay { lines.append(" delay \(Self.delay(delay))") }
        if !item.borrowedFrom.isEmpty { lines.append(" borrowed from " + item.borrowedFrom.map { "\($0.class) \($0.bytes)b" }.joined(separator: ", ")) }
        if !item.holds.isEmpty { lines.append(" held \(reasons(item.holds))") }
        if !item.heldBy.isEmpty { lines.append(" held by " + item.heldBy.map { "\($0.class) \($0.waits)" }.joined(separator: ", ")) }
        if item.cycles != 0 { lines.append(" cycles \(item.cycles)") }
        if item.marked != 0 { lines.append(" marked \(item.marked)") }
        if !item.drops.isEmpty { lines.append(" dropped \(reasons(item.drops))") }
        return lines
    }

    /// Delays as they stand behind the word `delay`.
    static func delay(_ delay: DelayStatus) -> String {
        if delay.waited == 0 { return "none (\(delay.frames) pkt)" }
        let times = [("p50", delay.p50Nanoseconds), ("p99", delay.p99Nanoseconds), ("max", delay.maxNanoseconds)]
        return times.map { "\($0) \(TopScreen.time($1))" }.joined(separator: " ") + " (\(delay.waited) of \(delay.frames) pkt waited)"
    }

    // MARK: The daemon

    /// - Parameter before: the cores as they were shown last; stalls are counted from then on.
    package static func cores(_ cores: [CoreStatus], since before: [CoreStatus] = []) -> String {
        let table = aligned(
            ["CPU", "NUMA", "POLLING", "BUSY", "ASLEEP", "FRAMES/S", "CYCLES/FRAME", "TURNS", "SLEEPS", "QUEUES"],
            cores.map { core in
                [
                    String(core.cpu), core.numaNode.map(String.init) ?? "-", core.polling, "\(decimal(core.busyPercent))%",
                    "\(decimal(core.asleepPercent))%", packets(core.framesPerSecond), decimal(core.cyclesPerFrame), String(core.turns),
                    String(core.sleeps), core.queues.isEmpty ? "-" : core.queues.map { "\($0.port):\($0.queue)" }.joined(separator: " "),
                ]
            }, right: [0, 1, 3, 4, 5, 6, 7, 8])
        let stalls = cores.compactMap { core in lost(core, since: before.first { $0.cpu == core.cpu }) }
        return ([table] + cores.flatMap(sleep) + stalls).joined(separator: "\n")
    }

    /// The cycles that each stage took for a frame.
    package static func stages(_ cores: [CoreStatus]) -> String {
        let names = cores.first { !$0.stages.isEmpty }?.stages.map(\.name) ?? []
        let rows = cores.map { core in
            let frames = Double(core.measuredFrames)
            let each = core.stages.map { Double($0.cycles) / frames }
            return [String(core.cpu), String(core.measuredFrames)] + (frames == 0 ? names.map { _ in "-" } : each.map(decimal))
                + [frames == 0 ? "-" : decimal(each.reduce(0, +))]
        }
        return aligned(["CPU", "FRAMES"] + names.map { $0.uppercased() } + ["CYCLES/FRAME"], rows, right: Set(0..<names.count + 3))
    }

    /// What ended a core's sleeps, and which ports cannot end them.
    private static func sleep(_ core: CoreStatus) -> [String] {
        var lines: [String] = []
        if !core.wakeups.isEmpty { lines.append("CPU \(core.cpu) was woken by \(reasons(core.wakeups))") }
        if core.polling != "polling", !core.lookedAt.isEmpty {
            lines.append("CPU \(core.cpu) looks every 0.5 ms while idle: no receive interrupts at \(core.lookedAt.joined(separator: ", "))")
        }
        return lines
    }

    package static func moves(_ moves: [MoveStatus], planned: Bool) -> String {
        if moves.isEmpty { return "nothing to move" }
        return moves.map { move in
            let queues = move.queues.map { "\(move.port):\($0)" }.joined(separator: " ")
            let outcome = planned ? "would move" : move.done ? "moved" : "stays: its core holds frames that may not leave yet; it would have moved"
            return "\(queues) (\(decimal(move.loadPercent))% of a core) \(outcome) from CPU \(move.from) to CPU \(move.to)"
        }.joined(separator: "\n")
    }

    /// The value with one decimal, without Foundation's formatters.
    static func decimal(_ value: Double) -> String {
        guard value.isFinite, abs(value) < 1e15 else { return "-" }
        let tenths = Int64((value * 10).rounded())
        return "\(tenths < 0 ? "-" : "")\(abs(tenths) / 10).\(abs(tenths) % 10)"
    }

    /// - Parameter before: the totals of some seconds ago, from which rates are worked out; nil: no rates are shown.
    package static func stats(_ stats: StatsReply, since before: (stats: StatsReply, seconds: Double)? = nil) -> String {
        func perSecond(_ now: UInt64, _ then: UInt64) -> UInt64 {
            guard let before, before.seconds > 0, now >= then else { return 0 }
            return UInt64((Double(now - then) / before.seconds).rounded())
        }
        func row(_ name: String, _ path: KeyPath<StatsReply, Traffic>, isCounter: Bool = true) -> [String] {
            let now = stats[keyPath: path]
            let cells = [name, String(now.frames), String(now.bytes)]
            guard let then = before?.stats[keyPath: path] else { return cells }
            return cells + (isCounter ? [packets(perSecond(now.frames, then.frames)), rate(perSecond(now.bytes, then.bytes) * 8)] : ["", ""])
        }
        func row(_ name: String, _ drops: (StatsReply) -> UInt64) -> [String] {
            let cells = [name, String(drops(stats)), ""]
            return before.map { cells + [packets(perSecond(drops(stats), drops($0.stats))), ""] } ?? cells
        }
        var rows = [
            row("received", \.received), row("copied", \.copied),
        ] + (stats.injected.frames == 0 ? [] : [row("injected", \.injected)]) + [
            row("delivered", \.delivered), row("queued", \.queued, isCounter: false),
            row("dropped") { $0.dropped.values.reduce(0, +) },
        ]
        rows += stats.dropped.keys.sorted().map { key in row("  \(key)") { $0.dropped[key] ?? 0 } }
        if stats.missing != 0 { rows.append(["on the way", String(stats.missing)] + Array(repeating: "", count: before == nil ? 1 : 3)) }
        return aligned(["", "FRAMES", "BYTES"] + (before == nil ? [] : ["FRAMES/S", "RATE"]), rows, right: [1, 2, 3, 4])
    }

    package static func status(_ status: StatusReply) -> String {
        let hours = status.uptimeSeconds / 3_600, minutes = status.uptimeSeconds / 60 % 60, seconds = status.uptimeSeconds % 60
        return """
            sluiced \(status.version) pid \(status.pid) up \(hours)h\(minutes)min\(seconds)s socket \(status.socket)
            config \(status.configFile ?? "none") changes \(status.changes)\(configuration(status).map { "\n\($0)" }.joined())
            bridges \(status.bridges) ports \(status.portsUp)/\(status.ports) up guests \(status.guests) classes \(status.classes) \
            cores \(status.cores)\(status.parts == 0 ? "" : " parts \(status.parts)")
            buffers \(status.buffersInUse)/\(status.buffers) in use hugepages \(status.hugepages ? "on" : "off")
            """ + status.portsFailed.map { "\nfailed: \($0)" }.joined() + (status.unsaved.map { "\nnot saved: \($0)" } ?? "")
            + status.partsUnfit.map { "\nnot in use: part \($0)" }.joined()
    }

    /// What is to be known about the configuration file: a sentence for each.
    private static func configuration(_ status: StatusReply) -> [String] {
        var lines: [String] = []
        if let seconds = status.unconfirmedSeconds { lines.append("unconfirmed: what was applied is undone in \(seconds) s unless sluice confirm comes before") }
        if let drift = status.drift, drift != 0 {
            lines.append("what runs differs from that file in \(drift) thing\(drift == 1 ? "" : "s"): sluice config diff shows them, sluice config save writes them there")
        }
        if let flaw = status.configFlaw {
            lines.append("that file is not in use as it is now: \(flaw)")
        } else if status.configEdited == true {
            lines.append("that file was edited since it was loaded: sluice diff shows what applying it would change")
        }
        return lines
    }
}
