import ArgumentParser
import Configuration
import DataPlane
import Foundation
import RingPorts

/// Measures how soon nothing of a priority is given to the device any more when the switch at the other end pauses it, and what that does to others.
struct Pauses: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Pause a priority again and again, and measure how soon its frames stop.",
        discussion: """
            Frames of priorities 0, 3 and 4 circulate; priority 4 has a ceiling. Priority 3 is paused. Time is measured in the poll loops, from the return of \
            the burst that brings the frame which asks for the pause to the last frame of the priority that a loop gives to the device. Then the rate of \
            priority 4 is compared between times in which priority 3 is paused and others.
            """)

    @Option(help: "CPUs of the poll loops, such as 1 or 0,1.")
    var cpus: String
    @Option(help: "How often to pause.")
    var pauses = 2_000
    @Option(help: "How many times of 100 ms to compare.")
    var windows = 20
    @Option(help: "Rate of the port; default: none, so that it takes whatever the loops send.")
    var rate: String?
    @Option(help: "Ceiling of priority 4.")
    var ceiling = "1gbit"
    @OptionGroup var load: Load

    func run() throws {
        var load = load
        (load.shared, load.tags, load.classes) = (true, true, 3)
        let cpus = try cpuList(cpus), ceiling = try Load.rate(ceiling), rate = try rate.map(Load.rate)
        // The spare queue is the control thread's, as a ring has one producer.
        let bed = try Bed(load, cpus: cpus, spare: 1) { model in
            for (place, priority) in [3, 4].enumerated() { model.protocols[place].pcp = priority }
            for place in model.ports.indices { model.ports[place].kind = .physical(device: "net_ring_\(model.ports[place].name)", queues: cpus.count + 1) }
            var pfc = PFCSettings()
            pfc.priorities = [3]
            model.ports[0].dcbx.pfc = pfc
            model.ports[0].rate = rate
            for place in model.guests.indices where model.guests[place].port == "b0" {
                model.guests[place].protocols[Load.protocolName(2), default: ProtocolClasses()].outbound.ceiling = ceiling
            }
        }
        defer { bed.plane.close() }
        guard ring_ports_watch_pauses("a0", 3) == 0 else { throw Failure("the device could not be watched") }
        // A peer's hardware is punctual.
        var priority = sched_param(sched_priority: 1)
        sched_setscheduler(0, SCHED_FIFO, &priority)
        // By then, addresses have been learned and buckets have been used up.
        Thread.sleep(forTimeInterval: 0.3)
        try stops(bed, spare: UInt32(cpus.count))
        try others(bed, spare: UInt32(cpus.count))
    }

    private func stops(_ bed: Bed, spare: UInt32) throws {
        var cycles: [UInt64] = [], frames: [UInt64] = []
        for _ in 0..<pauses {
            try ask(65_535, spare)
            usleep(300)
            var last: UInt64 = 0
            frames.append(ring_ports_late(&last))
            cycles.append(last)
            try ask(0, spare)
            usleep(300)
        }
        let times = cycles.map { Double($0) * 1e6 / Double(bed.plane.cyclesPerSecond) }.sorted()
        func part(_ part: Double) -> Double { times[min(times.count - 1, Int(Double(times.count) * part))] }
        print("\(times.filter { $0 > 0 }.count) of \(times.count) pauses had frames of the priority behind them, \(frames.max() ?? 0) at most")
        print(String(
            format: "last of them: median %.2f us, 99 %% within %.2f us, 99.9 %% within %.2f us, longest %.2f us", part(0.5), part(0.99), part(0.999),
            times.last ?? 0))
    }

    private func others(_ bed: Bed, spare: UInt32) throws {
        var rates: [[Double]] = [[], []], leaked: UInt64 = 0
        for window in 0..<windows {
            let isPaused = window % 2 == 1
            if isPaused {
                try ask(65_535, spare)
                usleep(1_000)
            }
            let begin = DispatchTime.now().uptimeNanoseconds, before = ring_ports_sent(4), paused = ring_ports_sent(3)
            while DispatchTime.now().uptimeNanoseconds < begin + 100_000_000 {
                if isPaused { try ask(65_535, spare) }
                usleep(1_000)
            }
            let end = DispatchTime.now().uptimeNanoseconds
            rates[window % 2].append(Double(ring_ports_sent(4) - before) * 1e9 / Double(end - begin))
            if isPaused {
                leaked += ring_ports_sent(3) - paused
                try ask(0, spare)
                usleep(5_000)
            }
        }
        let means = rates.map { $0.reduce(0, +) / Double(max(1, $0.count)) }
        print(String(
            format: "priority 4: %.0f frames/s, while priority 3 is paused %.0f (%+.2f %%); meanwhile %d frames of priority 3", means[0], means[1],
            (means[1] / means[0] - 1) * 100, leaked))
    }

    /// Has the device receive a frame that pauses priority 3, or ends the pause, and waits until a loop has it.
    private func ask(_ quanta: UInt16, _ queue: UInt32) throws {
        let frame: [UInt8] = [1, 0x80, 0xc2, 0, 0, 1, 2, 0, 0, 0, 0, 9, 0x88, 8, 1, 1, 0, 8]
            + (0..<8).flatMap { _ in [UInt8(quanta >> 8), UInt8(quanta & 0xff)] } + [UInt8](repeating: 0, count: 26)
        let before = ring_ports_pauses_seen()
        guard ring_ports_put("a0", queue, frame, UInt16(frame.count)) == 0 else { throw Failure("a pause frame could not be put into the ring") }
        let end = DispatchTime.now().uptimeNanoseconds + 5_000_000_000
        while ring_ports_pauses_seen() == before {
            // The loop may be on the same CPU.
            usleep(20)
            guard DispatchTime.now().uptimeNanoseconds < end else { throw Failure("no loop has taken a pause frame for 5 s") }
        }
    }
}
