import Foundation
import Testing

extension EndToEnd {
    @Suite("Real iSCSI", .needs(.hugepages, .tgt))
    struct StorageTests {
        @Test("an initiator and a target exchange a disk image intact, and its bytes are in the iSCSI classes")
        func diskImage() throws {
            try withLab { lab in
                let storage = try Namespace(lab, "storage"), client = try Namespace(lab, "client")
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0, rate: 10gbit}]
                    ports:
                      - {name: storage, type: tap, bridge: br0, interface: \(lab.tag)s, netns: \(storage.name)}
                      - {name: client, type: tap, bridge: br0, interface: \(lab.tag)c, netns: \(client.name)}
                    guests:
                      - {name: storage, port: storage, inbound: {floor: 200mbit}, protocols: {iscsi: {inbound: {floor: 100mbit}}}}
                      - {name: client, port: client, inbound: {floor: 200mbit}, protocols: {iscsi: {inbound: {floor: 100mbit}}}}
                    """)
                try storage.configure("\(lab.tag)s", address: "10.0.0.1/24")
                try client.configure("\(lab.tag)c", address: "10.0.0.2/24")
                try client.reaches("10.0.0.1")
                _ = try ISCSITarget(lab, in: storage, mib: 16)
                let url = ISCSITarget.url("10.0.0.1")

                let image = try RandomFile(lab, "image", kib: 16_384)
                try client.run("qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", image.path, url, environment: quiet)
                try client.run("qemu-img", "convert", "-f", "raw", "-O", "raw", url, lab.path("copy"), environment: quiet)
                #expect(try RandomFile.digest(lab.path("copy")) == image.digest)
                print(try client.run("qemu-img", "bench", "-f", "raw", "-c", "2000", "-d", "16", "-s", "64k", url, environment: quiet))

                // The file is written through the storage host's class and read back through the client's.
                for name in ["storage", "client"] {
                    let leaf = try daemon.classStatus("br0", "\(name)/iscsi")
                    #expect((leaf["sent"]["bytes"].int ?? 0) > 16 << 20, "bytes in class \(name)/iscsi: \(leaf)")
                    let rest = try daemon.classStatus("br0", "\(name)/default")
                    #expect((rest["sent"]["bytes"].int ?? 0) < 1 << 20, "bytes beside it: \(rest)")
                }
                #expect((try daemon.protocolRow("iscsi")["seen"]["bytes"].int ?? 0) > 32 << 20)
                #expect(try daemon.unaccountedFrames() == 0)
                daemon.stop()
            }
        }

        @Test("a Linux guest reads from a target behind a physical port, and its requests leave in the iSCSI class", .needs(.qemu, .tshark))
        func guestInitiator() throws {
            try withLab { lab in
                let storage = try Namespace(lab, "storage")
                let wire = try VethPair(lab, "w", farIn: storage)
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0, rate: 10gbit}]
                    ports:
                      - {name: vm1, type: vhost, bridge: br0, socket: \(lab.path("vm1"))}
                      - {name: uplink, type: physical, bridge: br0, device: "net_af_packet0,iface=\(wire.near)", rate: 1gbit}
                    guests:
                      - {name: vm1, port: vm1, inbound: {floor: 100mbit}, outbound: {floor: 100mbit}, protocols: {iscsi: {inbound: {floor: 100mbit}, outbound: {floor: 100mbit}}}}
                    """)
                try storage.configure(wire.far, address: "10.0.0.1/24")
                let guest = try Guest(lab, "vm1", mac: "52:54:00:00:00:01", socket: lab.path("vm1"))
                try guest.booted().configure("10.0.0.2/24")
                try guest.reaches("10.0.0.1")
                _ = try ISCSITarget(lab, in: storage, mib: 16)
                let capture = try Capture(lab, wire.far, fields: ["vlan.priority", "vlan.id", "iscsi.opcode"], filter: "ether src 52:54:00:00:00:01", namespace: storage)
                let said = try guest.run("iscsi-perf -t 3 -b 64 -m 8 \(ISCSITarget.url("10.0.0.1"))", within: 90)
                print("iscsi-perf in the guest: \(said.split(whereSeparator: \.isNewline).last ?? "")")

                let outbound = try daemon.classStatus("uplink", "vm1/iscsi"), inbound = try daemon.classStatus("br0", "vm1/iscsi")
                #expect((outbound["sent"]["frames"].int ?? 0) > 10, "\(outbound)")
                #expect((inbound["sent"]["bytes"].int ?? 0) > 1 << 20, "\(inbound)")
                // 0x01 is a SCSI command (RFC 7143, 11.3).
                let commands = try capture.waitFor(3) { $0["iscsi.opcode"]?.contains("0x01") == true }
                #expect(commands.allSatisfy { $0["vlan.priority"] == "4" && $0["vlan.id"] == "0" }, "\(commands)")
                #expect(try daemon.unaccountedFrames() == 0)
                daemon.stop()
            }
        }

        /// Keeps libiscsi from printing messages of its own.
        private let quiet = ["LIBISCSI_DEBUG": "0"]
    }
}
