"""A certificate authority for one run, made with the openssl command."""
import os

from network import run


class Authority:
    def __init__(self, folder):
        self.folder = os.path.join(folder, 'tls')
        os.mkdir(self.folder)
        self.ca, self.ca_key = self.path('ca.crt'), self.path('ca.key')
        run('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
            '-subj', '/CN=cluster test authority', '-keyout', self.ca_key, '-out', self.ca)

    def path(self, name):
        return os.path.join(self.folder, name)

    def issue(self, name, names):
        """(authority, certificate, key) as paths; issued again under the same name they replace the old ones as a mounted Secret does."""
        key, request, extensions, cert = (self.path(f'{name}.{end}') for end in ('key.new', 'csr', 'ext', 'crt.new'))
        run('openssl', 'req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', f'/CN={name}', '-keyout', key,
            '-out', request)
        with open(extensions, 'w') as file:
            file.write('subjectAltName=' + ','.join(f'DNS:{n}' for n in names) + '\nextendedKeyUsage=serverAuth,clientAuth\n')
        run('openssl', 'x509', '-req', '-in', request, '-CA', self.ca, '-CAkey', self.ca_key, '-CAcreateserial', '-days', '2',
            '-extfile', extensions, '-out', cert)
        os.replace(key, self.path(f'{name}.key'))
        os.replace(cert, self.path(f'{name}.crt'))
        return self.ca, self.path(f'{name}.crt'), self.path(f'{name}.key')
