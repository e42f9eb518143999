import Foundation
import Measuring

/// The kernel's bridge with taps, and HTB with the same classes on each tap, in a network namespace of its own.
///
/// The generator's own CPU pays for a system call for each frame that it sends or receives. Receive packet steering passes what it sends to the switch's CPU,
/// where softirqs bridge and schedule it; otherwise that would also be done on the generator's CPU.
struct KernelPeer: Peer {
    let name = "kernel-htb"
    let circulates = false

    func start(_ workload: Workload, _ bench: Bench) throws -> Running {
        let running = Running()
        let space = bench.tag + "k"
        func ip(_ words: String...) throws { try shell(["ip", "-n", space] + words) }
        func tc(_ words: [String]) throws { try shell(["ip", "netns", "exec", space, "tc"] + words) }
        try? shell("ip", "netns", "del", space)
        try shell("ip", "netns", "add", space)
        running.atEnd { _ = try? shell("ip", "netns", "del", space) }
        running.prefix = ["ip", "netns", "exec", space]
        let mask = String(bench.switchCPUs(workload.cores).reduce(0) { $0 | 1 << $1 }, radix: 16)
        try shell(["ip", "netns", "exec", space, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1"])
        try ip("link", "add", "br0", "type", "bridge")
        for port in 0..<(workload.ports + workload.idlePorts) {
            let tap = "t\(port)"
            try ip("tuntap", "add", "dev", tap, "mode", "tap", "multi_queue")
            try ip("link", "set", tap, "mtu", String(workload.mtu), "master", "br0", "up")
            try shell(["ip", "netns", "exec", space, "sh", "-c", "echo \(mask) > /sys/class/net/\(tap)/queues/rx-0/rps_cpus"])
            try tc(["qdisc", "replace", "dev", tap, "root", "handle", "1:", "htb", "default", "1"])
            for words in classes(workload, port) { try tc(words.split(separator: " ").map { $0 == "DEV" ? tap : String($0) }) }
        }
        try ip("link", "set", "br0", "up")
        running.ports = (0..<workload.ports).map { GeneratorPort(device: "net_tap\($0),iface=t\($0)") }
        running.setCeiling = { rate in
            let words = "class change dev t1 parent 1:ffff classid 1:1 htb rate \(Int(rate))bit ceil \(Int(rate))bit quantum 60000"
            try tc(words.split(separator: " ").map(String.init))
        }
        return running
    }

    /// The words of tc for the classes of a port, with `DEV` in place of the tap.
    private func classes(_ workload: Workload, _ port: Int) -> [String] {
        let link = Int(workload.link ?? 100e9)
        var words = ["class add dev DEV parent 1: classid 1:ffff htb rate \(link)bit ceil \(link)bit quantum 60000"]
        if port == 1, !workload.shapes.isEmpty {
            for (number, shape) in workload.shapes.enumerated() {
                let ceiling = Int(min(shape.ceiling, Double(link))), floor = max(8_000, Int(min(shape.floor ?? shape.ceiling, Double(link))))
                words.append("class add dev DEV parent 1:ffff classid 1:\(number + 1) htb rate \(floor)bit ceil \(ceiling)bit quantum 60000")
                // The last four bytes of the destination address identify the guest; u32 counts offsets from the network header.
                let low = Workload.mac(port: port, number).split(separator: ":").suffix(4).joined()
                words.append("filter add dev DEV parent 1: protocol all prio 1 u32 match u32 0x\(low) 0xffffffff at -12 flowid 1:\(number + 1)")
            }
            return words
        }
        for number in 1...3 {
            words.append("class add dev DEV parent 1:ffff classid 1:\(number) htb rate \(link / 3)bit ceil \(link)bit quantum 60000")
        }
        for (number, row) in Workload.protocols.enumerated() {
            words.append(
                "filter add dev DEV parent 1: protocol ip prio 1 u32 match ip protocol 17 0xff match ip dport \(row.1) 0xffff flowid 1:\(number + 2)")
        }
        return words
    }
}
