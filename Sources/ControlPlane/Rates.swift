import Configuration
import ControlAPI
import DataPlane
import Dispatch
import Scheduler

/// What a class had sent up to one moment.
package struct ClassSample: Equatable, Sendable {
    package var frames: UInt64
    package var bytes: UInt64

    package init(frames: UInt64, bytes: UInt64) {
        self.frames = frames
        self.bytes = bytes
    }

    /// The rates since an earlier sample. nil: they cannot be told, as the counters are lower than before, which means that another class has the id by now.
    package func rate(since first: ClassSample, seconds: Double) -> (bits: UInt64, packets: UInt64)? {
        guard frames >= first.frames, bytes >= first.bytes, seconds > 0 else { return nil }
        return (UInt64(Double(bytes - first.bytes) * 8 / seconds), UInt64(Double(frames - first.frames) / seconds))
    }
}

/// The latest rates of classes: the difference of the last two samples, which are about a second apart.
struct RateBook: Sendable {
    /// Samples by the tree's name, then by class id.
    private var before: [String: [ClassSample]] = [:]
    private var last: [String: [ClassSample]] = [:]
    private var beforeTime: UInt64 = 0
    private var lastTime: UInt64 = 0
    /// The classes with a floor at the last sample.
    private(set) var floors: [FloorWatch.Sight] = []

    /// - Parameter shortOfTime: ports that were held back most of the time since the last sample, as they had used up their shares of poll time.
    mutating func sample(_ dataPlane: DataPlane, shortOfTime: Set<String>) {
        floors = []
        let short = dataPlane.guests(of: shortOfTime)
        before = last
        beforeTime = lastTime
        lastTime = DispatchTime.now().uptimeNanoseconds
        last = [:]
        for tree in dataPlane.treeDescriptions {
            let figures = dataPlane.classCounters(tree: tree.name), isOutbound = if case .outbound = tree.kind { true } else { false }
            var samples = [ClassSample](repeating: ClassSample(frames: 0, bytes: 0), count: Int(tree.classes.lazy.map(\.id).max() ?? ClassIDs.root) + 1)
            // What waits in a class waits in the classes above, and so do the reasons. Children come behind their parents.
            var waiting: [UInt16: (hasBacklog: Bool, otherWaits: UInt64)] = [:]
            func count(_ id: UInt16) {
                figures.forEach(of: id) { counters in
                    samples[Int(id)].frames &+= counters.sentFrames
                    samples[Int(id)].bytes &+= counters.sentBytes
                    if counters.backlogFrames > 0 { waiting[id, default: (false, 0)].hasBacklog = true }
                    let waits = counters.waitsCeiling &+ counters.waitsPeak &+ counters.waitsPackets &+ counters.waitsOutput
                    if waits != 0 { waiting[id, default: (false, 0)].otherWaits &+= waits }
                }
            }
            for item in tree.classes.reversed() {
                count(item.id)
                let own = waiting[item.id] ?? (false, 0)
                if own.hasBacklog || own.otherWaits != 0 {
                    let above = waiting[item.parent] ?? (false, 0)
                    waiting[item.parent] = (above.hasBacklog || own.hasBacklog, above.otherWaits &+ own.otherWaits)
                }
                guard item.settings.floor != 0 else { continue }
                // What a guest sends waits in its ring, and in no class, while its port is held back.
                let isShort = isOutbound && (item.guest.map(short.contains) ?? false)
                floors.append(FloorWatch.Sight(
                    tree: tree.name, path: item.path, guest: item.guest, floor: item.settings.floor, sentBytes: samples[Int(item.id)].bytes,
                    hasBacklog: own.hasBacklog || isShort, otherWaits: own.otherWaits, isShortOfTime: isShort))
            }
            count(ClassIDs.root)
            last[tree.name] = samples
        }
    }

    func fill(_ status: inout ClassStatus) {
        let id = Int(status.id)
        guard beforeTime != 0, lastTime > beforeTime, let first = before[status.tree], let second = last[status.tree], id < first.count, id < second.count
        else { return }
        let seconds = Double(lastTime - beforeTime) / 1e9
        guard let rate = second[id].rate(since: first[id], seconds: seconds) else { return }
        status.rateSeconds = seconds
        status.rate = rate.bits
        status.packetRate = rate.packets
    }
}

/// How busy the poll loops were between the last two samples, which are about a second apart.
struct CoreBook {
    private var before: [DataPlane.CoreReport] = []
    private var last: [DataPlane.CoreReport] = []
    private var beforeTime: UInt64 = 0
    private var lastTime: UInt64 = 0

    mutating func sample(_ dataPlane: DataPlane) {
        before = last
        beforeTime = lastTime
        last = dataPlane.coreReports()
        lastTime = DispatchTime.now().uptimeNanoseconds
    }

    func fill(_ status: inout CoreStatus, _ index: Int) {
        guard before.indices.contains(index), last.indices.contains(index), lastTime > beforeTime else { return }
        let busy = Double(last[index].busyCycles &- before[index].busyCycles)
        let idle = Double(last[index].idleCycles &- before[index].idleCycles)
        let asleep = Double(last[index].asleepCycles &- before[index].asleepCycles)
        let frames = last[index].frames &- before[index].frames
        // A sleep is counted only when it ends, so the counted times are taken as the whole, and not the time that has passed.
        let all = busy + idle + asleep
        if all > 0 {
            status.busyPercent = busy / all * 100
            status.asleepPercent = asleep / all * 100
        }
        status.framesPerSecond = UInt64(Double(frames) / (Double(lastTime - beforeTime) / 1e9))
        if frames > 0 { status.cyclesPerFrame = busy / Double(frames) }
    }
}

/// The latest rates of ports and guests: the difference of the last two samples, which are about a second apart.
struct TrafficBook {
    private struct Sample {
        var time: UInt64 = 0
        var ports: [String: (received: DataPlane.Amount, sent: DataPlane.Amount)] = [:]
        var guests: [String: DataPlane.GuestAmounts] = [:]
        var heldByPollTime: [String: UInt64] = [:]
    }
    private var before = Sample()
    private var last = Sample()
    /// What ports had dropped at the last sample.
    private(set) var drops: [DropWatch.Sight] = []
    /// Ports that were held back for more than half of the time since the last sample, as they had used up their shares of poll time.
    private(set) var shortOfTime: Set<String> = []

    mutating func sample(_ dataPlane: DataPlane) {
        before = last
        let counts = dataPlane.portCounts
        last = Sample(
            time: DispatchTime.now().uptimeNanoseconds, ports: Dictionary(counts.map { ($0.port, (received: $0.received, sent: $0.sent)) }) { first, _ in first }, guests: dataPlane.guestAmounts(),
            heldByPollTime: Dictionary(counts.lazy.filter { $0.heldByPollTime != 0 }.map { ($0.port, $0.heldByPollTime) }) { first, _ in first })
        let half = (last.time - before.time) / 2
        // A port that was deleted and added again counts anew.
        shortOfTime = before.time == 0 ? [] : Set(last.heldByPollTime.filter { $0.value > (before.heldByPollTime[$0.key] ?? 0) &+ half }.keys)
        drops = counts.map { DropWatch.Sight(port: $0.port, drops: $0.drops) }
    }

    /// nil: there are no two samples, or the counters have begun again in between.
    private func rate(_ first: DataPlane.Amount, _ second: DataPlane.Amount) -> Rate? {
        guard before.time != 0, last.time > before.time else { return nil }
        let samples = (ClassSample(frames: first.frames, bytes: first.bytes), ClassSample(frames: second.frames, bytes: second.bytes))
        return samples.1.rate(since: samples.0, seconds: Double(last.time - before.time) / 1e9).map { Rate(bits: $0.bits, packets: $0.packets) }
    }

    func fill(_ status: inout PortStatus) {
        guard let first = before.ports[status.name], let second = last.ports[status.name] else { return }
        (status.rxRate, status.txRate) = (rate(first.received, second.received), rate(first.sent, second.sent))
    }

    func fill(_ status: inout GuestStatus) {
        guard let second = last.guests[status.name] else { return }
        let first = before.guests[status.name], none = DataPlane.Amount()
        (status.inboundRate, status.outboundRate) = (rate(first?.inbound ?? none, second.inbound), rate(first?.outbound ?? none, second.outbound))
    }
}
