import Foundation
import Measuring

/// dpdk-testpmd in io mode, which moves frames between the two ports of a pair without looking at them: the most that vhost-user ports allow.
struct TestpmdPeer: Peer {
    let name = "testpmd-io"

    func start(_ workload: Workload, _ bench: Bench) throws -> Running {
        let running = Running()
        let prefix = bench.tag + "t"
        running.atEnd { try? FileManager.default.removeItem(atPath: "/var/run/dpdk/\(prefix)") }
        let sockets = (0..<(workload.ports + workload.idlePorts)).map { _ in bench.path("s") }
        let cpus = bench.switchCPUs(workload.cores)
        // The main lcore does not forward; it waits on standard input, on the generator's CPU.
        var arguments = ["stdbuf", "-oL", "dpdk-testpmd", "--lcores"]
        arguments.append((["0@\(bench.generatorCPU)"] + cpus.enumerated().map { "\($0 + 1)@\($1)" }).joined(separator: ","))
        arguments += ["--in-memory", "--no-pci", "--no-telemetry", "--file-prefix", prefix]
        // With these flags, a frame keeps what its sender wants done to it on its way from port to port, and segments stay whole.
        let offloads = workload.segment == nil ? "" : ",tso=1,legacy-ol-flags=1,client=1"
        for (index, socket) in sockets.enumerated() { arguments += ["--vdev", "net_vhost\(index),iface=\(socket),queues=1\(offloads)"] }
        arguments += ["--", "--forward-mode=io", "--auto-start", "--nb-cores=\(cpus.count)", "--stats-period=0"]
        if workload.mtu > 1_500 { arguments.append("--max-pkt-len=\(workload.mtu + 18)") }
        // The size includes 128 bytes of headroom. A buffer that holds a whole segment makes testpmd faster than a chain of 31 does.
        arguments += workload.segment == nil ? ["--total-num-mbufs=16384"] : ["--total-num-mbufs=2048", "--mbuf-size=65535"]
        if let size = workload.bufferKibibytes { arguments.append("--mbuf-size=\(size * 1_024 + 128)") }
        let process = try ChildProcess(arguments, log: bench.path("testpmd.log"), keepsInput: true)
        running.processes = [process]
        try process.waitFor("io packet forwarding", within: 30)
        running.ports = sockets.prefix(workload.ports).map { GeneratorPort(device: "virtio_user:\($0)") }
        return running
    }
}
