import { PostgresServer } from '../support/postgres.ts'
import { limiterContract, prefix } from './contract.ts'

limiterContract('PostgreSQL', () => {
  const started = PostgresServer.start()
  const url = started.then((server) => server.makeDatabase('limits'))
  return {
    place: async () => ({ url: await url, tablePrefix: prefix }),
    clean: async () => (await started).stop(),
  }
})
