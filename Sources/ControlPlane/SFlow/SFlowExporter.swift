import Configuration
import DataPlane
import Dispatch
import Foundation
import SFlow
import Synchronization

/// Sends samples of frames and of ports' counters to a collector, on a thread of its own: neither a poll loop nor the control thread waits for that.
final class SFlowExporter: @unchecked Sendable {
    /// What was sent and what was lost since the daemon started.
    struct Totals {
        var samples: UInt64 = 0
        var counterSamples: UInt64 = 0
        var datagrams: UInt64 = 0
        /// Samples of both kinds that were not sent, and that the collector's host refused.
        var notSent: UInt64 = 0
        var refused: UInt64 = 0
        /// The agent's address; nil: it is not known yet.
        var agent: String?
        /// Why nothing can be sent, or nothing arrives, as a sentence; nil: nothing is known to be wrong.
        var problem: String?
    }

    /// Samples may not wait for a second (sFlow version 5, 5.2).
    private static let interval = DispatchTimeInterval.milliseconds(200)
    /// How long it is until a collector that cannot be reached is tried again.
    private static let pause = Duration.seconds(1)

    private let queue = DispatchQueue(label: "sflow", qos: .utility)
    private let began: ContinuousClock.Instant
    private let desk: EventDesk
    private let shared = Mutex(Totals())

    // Only the queue uses these.
    private var settings: SFlowSettings?
    private var sampler: Sampler?
    private var sender: UDPSender?
    private var writer: DatagramWriter?
    private var timer: (any DispatchSourceTimer)?
    private var nextTry = ContinuousClock.now
    /// The numbers of the last samples of each port, and the names of the ports of whose counters that was.
    private var flowNumbers: [UInt16: UInt32] = [:]
    private var counterNumbers: [UInt16: (name: String, number: UInt32)] = [:]
    /// How many samples the datagram before had.
    private var samplesBefore: UInt64 = 0
    /// Samples that found no room in samplers that are closed.
    private var lostBefore: UInt64 = 0
    private var watch = SampleLossWatch()

    init(began: ContinuousClock.Instant, desk: EventDesk) { (self.began, self.desk) = (began, desk) }

    var totals: Totals { shared.withLock { $0 } }

    /// Sends by these settings from now on, what this sampler takes. What the sampler before has is sent before, and that is closed.
    func adopt(_ settings: SFlowSettings?, _ sampler: Sampler?) {
        queue.async { [self] in
            if self.sampler !== sampler {
                exchange(sampler)
            }
            if self.settings?.collector != settings?.collector {
                sender = nil
                nextTry = .now
                shared.withLock { $0.problem = nil }
            }
            self.settings = settings
            follow()
            timer?.cancel()
            timer = nil
            guard settings != nil else { return shared.withLock { ($0.agent, $0.problem) = (nil, nil) } }
            let source = DispatchSource.makeTimerSource(queue: queue)
            source.schedule(deadline: .now() + Self.interval, repeating: Self.interval, leeway: .milliseconds(20))
            source.setEventHandler { [unowned self] in sendSamples() }
            source.resume()
            timer = source
        }
    }

    /// Sends the counters of some ports.
    func send(_ reports: [DataPlane.InterfaceReport]) {
        queue.async { [self] in
            for report in reports { add(report) }
            flush()
        }
    }

    /// Sends what there is, and nothing more. The sampler is not closed.
    func stop() {
        queue.sync {
            timer?.cancel()
            timer = nil
            sendSamples()
            sampler = nil
            sender = nil
            settings = nil
        }
    }

    private func exchange(_ new: Sampler?) {
        sendSamples()
        lostBefore += sampler?.counts.lost ?? 0
        sampler?.close()
        sampler = new
        // The new one counts from 0, and then the samples' numbers have to begin anew, too.
        flowNumbers = [:]
    }

    /// Connects to the collector, if that is not done yet, and takes over the agent's address.
    private func follow() {
        guard let settings else { return }
        if sender == nil, .now >= nextTry {
            nextTry = .now + Self.pause
            do throws(ControlSocketError) {
                sender = try UDPSender(to: settings.collector)
                note(nil)
            } catch {
                note(error.description)
            }
        }
        guard let address = settings.agent?.bytes ?? sender?.localAddress, writer?.agent != address else { return }
        if writer == nil { writer = DatagramWriter(agent: address) } else { writer?.agent = address }
        shared.withLock { $0.agent = Self.text(address) }
    }

    private func sendSamples() {
        follow()
        let samples = sampler?.take() ?? []
        var counts: [UInt16: Sampler.Counts] = [:]
        for sample in samples {
            let known = counts[sample.input] ?? sampler?.counts(of: sample.input) ?? Sampler.Counts()
            counts[sample.input] = known
            let number = (flowNumbers[sample.input] ?? 0) &+ 1
            flowNumbers[sample.input] = number
            send(writer?.add(FlowSample(sample, number: number, known, rate: sampler?.rate ?? 1), uptime: uptime))
        }
        if writer == nil { lose(samples.count) }
        flush()
        let lost = lostBefore + (sampler?.counts.lost ?? 0), totals = totals
        let event = watch.look(noRoom: lost, notSent: totals.notSent + totals.refused, totals.problem, now: (.now - began) / .seconds(1))
        if let event { desk.post(event) }
    }

    private func add(_ report: DataPlane.InterfaceReport) {
        if settings == nil { return }
        guard writer != nil else { return lose(1) }
        // The counters of another port with this index begin at 0, and then the samples' numbers have to, too.
        let before = counterNumbers[report.index]
        let number = before?.name == report.name ? (before?.number ?? 0) &+ 1 : 1
        counterNumbers[report.index] = (report.name, number)
        send(writer?.add(CounterSample(report, number: number), uptime: uptime))
    }

    private func flush() { send(writer?.finish(uptime: uptime)) }

    private func send(_ datagram: Datagram?) {
        guard let datagram else { return }
        let samples = datagram.flowSamples + datagram.counterSamples
        guard sender != nil else { return lose(samples) }
        // A sender cannot be taken out of the optional in which it stands.
        switch sender?.send(datagram.bytes) {
        case .failed(let sentence):
            note(sentence)
            lose(samples)
            samplesBefore = 0
            return
        case .sentAfterRefusal:
            shared.withLock { $0.refused += samplesBefore }
            note(settings.map { "nobody listens at \($0.collector): start the collector, or give another address" })
        default: note(nil)
        }
        samplesBefore = UInt64(samples)
        shared.withLock {
            $0.samples += UInt64(datagram.flowSamples)
            $0.counterSamples += UInt64(datagram.counterSamples)
            $0.datagrams += 1
        }
    }

    private func lose(_ samples: Int) { shared.withLock { $0.notSent += UInt64(samples) } }
    private func note(_ problem: String?) { shared.withLock { $0.problem = problem } }

    /// Milliseconds since the daemon started.
    private var uptime: UInt64 { UInt64((ContinuousClock.now - began) / .milliseconds(1)) }

    private static func text(_ address: [UInt8]) -> String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        inet_ntop(address.count == 4 ? AF_INET : AF_INET6, address, &text, socklen_t(text.count))
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}

extension FlowSample {
    fileprivate init(_ sample: FrameSample, number: UInt32, _ counts: Sampler.Counts, rate: Int) {
        self.init()
        (sequence, input, self.rate) = (number, UInt32(sample.input), UInt32(rate))
        (pool, drops) = (UInt32(truncatingIfNeeded: counts.pool), UInt32(truncatingIfNeeded: counts.lost))
        output = switch sample.output {
        case .port(let index): .one(UInt32(index))
        case .several: .several
        case .none: .discarded
        }
        (length, header) = (sample.length, sample.bytes)
        let tci = Self.tci(of: sample.bytes)
        sourceVLAN = sample.vlan == 0 ? UInt32(tci & 0x0fff) : UInt32(sample.vlan)
        sourcePriority = UInt32(tci >> 13)
        destinationVLAN = sourceVLAN
        destinationPriority = sample.priority.map { UInt32($0) } ?? sourcePriority
    }

    /// The tag control information of a frame's outermost tag; 0: it has none.
    private static func tci(of frame: [UInt8]) -> UInt16 {
        guard frame.count >= 16 else { return 0 }
        let type = UInt16(frame[12]) << 8 | UInt16(frame[13])
        return type == 0x8100 || type == 0x88a8 ? UInt16(frame[14]) << 8 | UInt16(frame[15]) : 0
    }
}

extension CounterSample {
    fileprivate init(_ report: DataPlane.InterfaceReport, number: UInt32) {
        self.init()
        (sequence, index, name, speed, isUp) = (number, UInt32(report.index), report.name, report.speed, report.isUp)
        received = Direction(bytes: report.received.bytes, frames: report.received.frames, discards: report.receiveDrops, errors: report.receiveErrors)
        sent = Direction(bytes: report.sent.bytes, frames: report.sent.frames, discards: report.sendDrops)
    }
}
