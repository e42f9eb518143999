import Foundation
import Testing

extension EndToEnd {
    /// Here libvirt itself starts a guest and calls the hook.
    @Suite("libvirtd", .needs(.hugepages, .qemu, .libvirt))
    struct LibvirtdTests {
        private func domain(_ lab: Lab, _ name: String, floor: String) throws -> String {
            let image = try Guest.image.get()
            return """
                <domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
                  <name>\(name)</name>
                  <metadata>
                    <sluice:domain xmlns:sluice='urn:sluice:libvirt:1'><interface mac='52:54:00:00:00:51' name='\(name)'><inbound floor='\(floor)'/></interface></sluice:domain>
                  </metadata>
                  <memory unit='MiB'>192</memory><vcpu>1</vcpu>
                  <memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>
                  <os>
                    <type arch='x86_64' machine='q35'>hvm</type><kernel>\(image)/vmlinuz</kernel><initrd>\(image)/initramfs</initrd>
                    <cmdline>console=ttyS0 quiet panic=-1 reboot=t tsc=reliable tsc_early_khz=2300000 lpj=4000000 no_timer_check \
                cryptomgr.notests mitigations=off net.ifnames=0 pci=nomsi harness</cmdline>
                  </os>
                  <features><acpi/><apic/></features><cpu mode='maximum'/><on_reboot>destroy</on_reboot><on_crash>destroy</on_crash>
                  <devices>
                    <emulator>/usr/bin/qemu-system-x86_64</emulator>
                    <interface type='vhostuser'>
                      <mac address='52:54:00:00:00:51'/><source type='unix' path='\(lab.path(name))' mode='server'/><model type='virtio'/>
                      <bandwidth><inbound average='250000'/><outbound average='125000'/></bandwidth>
                    </interface>
                    <serial type='unix'><source mode='bind' path='\(lab.path("\(name).serial"))'/></serial>
                    <controller type='pci' model='pcie-root'/><controller type='pci' model='pcie-root-port'/><controller type='pci' model='pcie-root-port'/>
                    <controller type='pci' model='pcie-root-port'/><memballoon model='none'/>
                  </devices>
                  <qemu:override><qemu:device alias='net0'><qemu:frontend><qemu:property name='vectors' type='unsigned' value='0'/></qemu:frontend></qemu:device></qemu:override>
                </domain>
                """
        }

        @Test("a domain that libvirt starts has its guarantees, keeps them over crashes, and takes them with it")
        func domain() throws {
            try withLab { lab in
                let host = try Namespace(lab, "host")
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0, rate: 10gbit}]
                    ports: [{name: host, type: tap, bridge: br0, interface: \(lab.tag)h, netns: \(host.name)}]
                    """)
                try host.configure("\(lab.tag)h", address: "10.0.0.1/24")
                let libvirtd = try Libvirtd(
                    lab, prepare: [Build.program("sluice"), "libvirt", "install", "--strict", "--statistics", "--socket", daemon.socket])
                #expect(libvirtd.log.contains("/etc/libvirt/hooks/qemu.d/50-sluice is in place"), "\(libvirtd.log)")

                // A floor that cannot be admitted keeps the domain from starting, and the error says why.
                var defined = try libvirtd.virsh("define", lab.write("greedy.xml", domain(lab, "greedy", floor: "20gbit")))
                #expect(defined.status == 0, "\(defined)")
                let refused = try libvirtd.virsh("start", "greedy")
                #expect(refused.status != 0 && refused.errors.contains("20gbit"), "\(refused)")
                #expect(try daemon.show("part", "show").items.isEmpty)

                defined = try libvirtd.virsh("define", lab.write("web.xml", domain(lab, "web", floor: "1gbit")))
                #expect(defined.status == 0, "\(defined)")
                let started = try libvirtd.virsh("start", "web")
                try #require(started.status == 0, "\(started)\n\(libvirtd.log)\n\(daemon.log)")
                try Console(lab.path("web.serial")).command("ip addr add 10.0.0.2/24 dev eth0; ip link set eth0 up")
                try host.reaches("10.0.0.2", within: 60)
                let before = try daemon.classStatus("br0", "web")
                #expect(before["floor"].int == 1_000_000_000 && before["ceiling"].int == 2_000_000_000, "\(before)")
                #expect((before["sent"]["frames"].int ?? 0) > 0)

                // When the metadata of a running domain is changed, libvirt calls no hook, so `sync` has to apply it.
                let metadata = "<domain><interface mac='52:54:00:00:00:51' name='web'><inbound floor='1500mbit'/></interface></domain>"
                let changed = try libvirtd.virsh("metadata", "web", "urn:sluice:libvirt:1", "--key", "sluice", "--live", "--set", metadata)
                #expect(changed.status == 0, "\(changed)")
                let sync = try libvirtd.finish(Build.program("sluice"), "libvirt", "sync", "--socket", daemon.socket)
                #expect(sync.status == 0 && sync.output.contains("~ guest web"), "\(sync)")
                #expect(try daemon.classStatus("br0", "web")["floor"].int == 1_500_000_000)

                // After the daemon was killed and restarted, the guest can be reached again and has its floor.
                try daemon.crashAndRestart()
                try host.configure("\(lab.tag)h", address: "10.0.0.1/24")
                try daemon.waitUntil(port: "web", is: "up")
                try host.reaches("10.0.0.2")
                #expect(try daemon.classStatus("br0", "web")["floor"].int == 1_500_000_000)

                // libvirt counts as the guest does, although it asks a switch for that.
                let counted = try libvirtd.virsh("domifstat", "web", "52:54:00:00:00:51")
                #expect(counted.output.contains("rx_packets"), "\(counted)\n\(libvirtd.log)")

                // An interface that is attached has its port before QEMU waits for it; one that cannot be is not attached.
                func interface(_ floor: String) -> String {
                    """
                    <interface type='vhostuser'><mac address='52:54:00:00:00:52'/><source type='unix' path='\(lab.path("second"))' mode='server'/>
                    <model type='virtio'/><bandwidth><inbound average='5000'/></bandwidth>\(floor)</interface>
                    """
                }
                func attach(_ xml: String) throws -> Finished {
                    try libvirtd.finish(Build.program("sluice"), "libvirt", "attach", "web", lab.write("interface.xml", xml), "--socket", daemon.socket)
                }
                let unfit = try attach(interface("<address type='pci' bus='0x77' slot='0x00'/>"))
                #expect(unfit.status == 1 && unfit.errors.contains("are taken back"), "\(unfit)")
                #expect(try daemon.show("part", "show")[0]["ports"].items.count == 1)
                let attached = try attach(interface(""))
                try #require(attached.status == 0, "\(attached)\n\(libvirtd.log)\n\(daemon.log)")
                try daemon.waitUntil(port: "web-000052", is: "up")
                #expect(try daemon.classStatus("br0", "web-000052")["ceiling"].int == 40_000_000)

                let ended = try libvirtd.virsh("destroy", "web")
                #expect(ended.status == 0, "\(ended)")
                #expect(try daemon.show("part", "show").items.isEmpty)
                daemon.stop()
            }
        }
    }
}

/// A guest's serial console, on a Unix socket that QEMU listens on.
private final class Console {
    private let descriptor: Int32

    init(_ path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let result = withUnsafePointer(to: address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        guard result == 0 else { throw LabError("\(path): \(String(cString: strerror(errno)))") }
        var time = timeval(tv_sec: Int(Guest.bootSeconds), tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        try wait("READY")
    }

    deinit { close(descriptor) }

    func command(_ text: String) throws {
        let line = "1 \(text)\n"
        guard line.withCString({ write(descriptor, $0, strlen($0)) }) == line.utf8.count else { throw LabError("the guest's console takes nothing") }
        try wait("@@1 0")
    }

    private func wait(_ mark: String) throws {
        var text = "", buffer = [UInt8](repeating: 0, count: 4_096)
        while !text.contains(mark) {
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else { throw LabError("the guest's console did not say \(mark); it said:\n\(text)") }
            text += String(decoding: buffer[..<count], as: UTF8.self)
        }
    }
}
